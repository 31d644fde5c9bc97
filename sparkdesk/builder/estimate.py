"""What a pair will take on this machine, before a byte of its weights is fetched: which quantization fits, and why.

Reads config.json files and GGUF headers; what it reads stays, as the beginning of the download.
"""

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkdesk import convert
from sparkdesk.errors import DownloadError, ModelLoadError
from sparkdesk.events import Notice, Report
from sparkdesk.fit import (
    FreeMemory,
    ModelSize,
    Plan,
    best_quantization,
    is_draft_config,
    plan_load,
    size_from_config,
    size_from_header,
    weights_in_config,
)
from sparkdesk.gguf.header import GgufFile, read_gguf
from sparkdesk.hub.choose import gguf_choices, in_gb
from sparkdesk.hub.client import Hub
from sparkdesk.hub.download import Need, check_space, is_begun, missing_bytes
from sparkdesk.hub.header_peek import config_in, read_config, read_header
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import CHECKPOINT, GGUF, ModelSource
from sparkdesk.hub.retry import RetryPolicy

_MADE_TYPES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M")
"""What a checkpoint is usually converted to."""
_SOUND = re.compile(r"(UD-)?(I?Q[3-8]|BF16|F16|F32|MXFP4)")
"""Below three bits a weight the text suffers visibly: such a file is named, but never chosen for the user."""
_USUAL_CONTEXT = 4096
_SURE_TO_FIT_BYTES = 50_000_000
"""A smaller GGUF file is there sooner than its header could be looked at."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is about to be had."""

    target: ModelSource
    draft: ModelSource | None
    target_type: str
    """What the target is, or is converted to."""
    draft_type: str = "Q8_0"
    made: Mapping[str, Path] | None = None
    """By "target" and "draft": files that were converted before, whose checkpoints are not needed any more."""

    shape: str = ""
    """A repository whose config.json tells the target's shape; asked first, where only a look is taken and nothing is
    downloaded, because a header is megabytes."""

    def shaped_like(self, repository: str) -> "Selection":
        return replace(self, shape=repository)

    def made_file(self, role: str) -> Path | None:
        return (self.made or {}).get(role)


@dataclass(frozen=True, slots=True)
class Option:
    """One quantization in which the target can be had."""

    quantization: str
    size_bytes: int
    plan: Plan

    @property
    def is_sound(self) -> bool:
        return bool(_SOUND.match(self.quantization))


@dataclass(frozen=True, slots=True)
class Forecast:
    chosen: Option
    options: tuple[Option, ...]
    """The chosen one among them; the largest first."""
    best: str
    """The largest that is quick here; empty where none fits."""
    download_bytes: int
    """What is not on this disk yet."""
    context_tokens: int

    @property
    def fits(self) -> bool:
        return self.chosen.plan.fits

    @property
    def smaller(self) -> Option | None:
        """The largest smaller one that fits, where the chosen one does not."""
        if self.fits:
            return None
        below = (each for each in self.options if each.size_bytes < self.chosen.size_bytes and each.plan.fits)
        return next((each for each in below if each.is_sound), None)

    @property
    def is_whole(self) -> bool:
        """Nothing has to be changed for it."""
        return self.fits and not self.chosen.plan.advice

    def in_words(self) -> str:
        """What it takes, whether there is room, and what would fit better."""
        download = f"{in_gb(self.download_bytes)} to download. " if self.download_bytes else ""
        name = f"{self.chosen.quantization}: " if self.chosen.quantization else ""
        return f"{name}{download}{self.chosen.plan.why} {self.advice()}".rstrip()

    def advice(self) -> str:
        if self.is_whole:
            return f"{self.best} would fit, too." if self._has_larger() else ""
        other = self.smaller or self._whole_on_card()
        if other is None:
            return self.chosen.plan.advice
        how = "would fit" if not self.fits else "would fit entirely on the GPU"
        shorter = self.chosen.plan.shorter_context
        context = f", or a context of {shorter:,} tokens" if shorter else ""
        return f"{other.quantization} {how} ({in_gb(other.size_bytes)}){context}."

    def _has_larger(self) -> bool:
        best = next((each for each in self.options if each.quantization == self.best), None)
        return best is not None and best.size_bytes > self.chosen.size_bytes

    def _whole_on_card(self) -> Option | None:
        if self.best == self.chosen.quantization:
            return None
        return next((each for each in self.options if each.quantization == self.best and not each.plan.advice), None)


def estimate(
    hub: Hub, wanted: Selection, *, room: FreeMemory, context_tokens: int, retry: RetryPolicy | None = None
) -> Generator[Report, None, Forecast | None]:
    """None where nothing can be said. A `context_tokens` of 0 is as many as the model was trained with.

    Raises DownloadError, and DiskFull before anything is looked at.
    """
    retry, download_bytes = retry or RetryPolicy(), _download_bytes(hub, wanted)
    check_space([Need("the download", hub.cache_folder, download_bytes)])
    found = None
    if wanted.shape:
        found = yield from _shaped(hub, wanted, retry)
    if found is None:
        found = yield from _size(hub, wanted.target, wanted.target_type, wanted.made_file("target"), retry)
    if found is None or found.tapped_layers:  # a draft alone runs nowhere
        return None
    draft = None
    if wanted.draft is not None:
        draft = yield from _size(hub, wanted.draft, wanted.draft_type, wanted.made_file("draft"), retry)
        if draft is None:
            return None
    sizes = _options(wanted, found)
    context = context_tokens or found.trained_context or _USUAL_CONTEXT
    plans = {name: plan_load(size, draft, room, context_tokens=context) for name, size in sizes.items()}
    options = tuple(
        sorted(
            (Option(name, sizes[name].weights_bytes, plan) for name, plan in plans.items()),
            key=lambda option: -option.size_bytes,
        )
    )
    best = best_quantization(sizes, draft, room, context_tokens=context)
    return Forecast(
        chosen=next(each for each in options if each.quantization == wanted.target_type),
        options=options,
        best=best[0] if best is not None else "",
        download_bytes=_download_bytes(hub, wanted),  # without what was looked at
        context_tokens=context,
    )


def _shaped(hub: Hub, wanted: Selection, retry: RetryPolicy) -> Generator[Report, None, ModelSize | None]:
    """From the original's config.json and the size of the file."""
    if wanted.target.wanted is None or wanted.target.kind != GGUF or wanted.made_file("target") is not None:
        return None
    try:
        repository = yield from Lookup(hub, retry).repository(wanted.shape)
        config = yield from read_config(hub, repository, retry=retry)
        return size_from_config(config, wanted.target.size_bytes) if config is not None else None
    except (DownloadError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _size(
    hub: Hub, source: ModelSource, type_: str, made: Path | None, retry: RetryPolicy
) -> Generator[Report, None, ModelSize | None]:
    """Of the file that will be loaded in the end."""
    local = made or (source.local if source.kind == GGUF else None)
    if local is not None:
        return _of_file(local)
    if source.kind == GGUF:
        return (yield from _of_hub_file(hub, source, retry))
    if source.wanted is None:
        config = config_in(source.local) if source.local is not None else None
    else:
        config = yield from read_config(hub, source.wanted.repository, retry=retry)
    try:
        return _of_config(config, type_, source) if config is not None else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # of a form that the converter will say more about


def _of_file(path: Path) -> ModelSize | None:
    try:
        return size_from_header(read_gguf(path))
    except ModelLoadError:
        return None


def _of_hub_file(hub: Hub, source: ModelSource, retry: RetryPolicy) -> Generator[Report, None, ModelSize | None]:
    assert source.wanted is not None
    if source.size_bytes < _SURE_TO_FIT_BYTES:
        return None
    header: GgufFile | None
    header = yield from read_header(hub, source.wanted.repository, source.wanted.files[0], retry=retry)
    if header is None:
        return None
    size = size_from_header(header)
    return size if len(source.wanted.files) == 1 else size.with_even_layers(source.size_bytes)


def _of_config(config: Mapping[str, object], type_: str, source: ModelSource) -> ModelSize:
    # A draft of DeepSpec's brings the target's tables along, which the converter leaves away.
    is_draft = is_draft_config(config)
    weights = weights_in_config(config, has_embeddings=not is_draft)
    size_bytes = convert.bytes_of_weights(weights, type_)
    return size_from_config(config, size_bytes, name=source.repository, has_embeddings=not is_draft)


def _options(wanted: Selection, chosen: ModelSize) -> dict[str, ModelSize]:
    """By quantization; the chosen one is always there."""
    sizes = {wanted.target_type: chosen}
    source = wanted.target
    if source.kind == CHECKPOINT:
        bits = chosen.weights_bytes / convert.bytes_of_weights(1_000_000, wanted.target_type)
        for type_ in _MADE_TYPES:
            sizes.setdefault(type_, chosen.in_a_file_of(int(bits * convert.bytes_of_weights(1_000_000, type_))))
    elif source.wanted is not None:
        for choice in gguf_choices(source.wanted.repository):
            if choice.quantization:
                sizes.setdefault(choice.quantization, chosen.in_a_file_of(choice.size_bytes))
    return sizes


def _download_bytes(hub: Hub, wanted: Selection) -> int:
    roles = (("target", wanted.target), ("draft", wanted.draft))
    return missing_bytes(
        hub,
        [
            source.wanted
            for role, source in roles
            if source is not None and source.wanted is not None and wanted.made_file(role) is None
        ],
    )


Find = Callable[[str], Generator[Report, None, Selection]]
"""What is wanted in a quantization; "" is the usual one. Asks the hub, downloads nothing."""


def choose_quantization(
    hub: Hub, find: Find, *, asked: str, room: FreeMemory, context_tokens: int
) -> Generator[Report, None, tuple[Selection, Forecast | None]]:
    """`asked` is the quantization the user named, "" for none. The last Notice is the forecast in words."""
    wanted = yield from find(asked)
    forecast = yield from estimate(hub, wanted, room=room, context_tokens=context_tokens)
    if forecast is not None and not asked and forecast.smaller is not None and not _is_begun(hub, wanted):
        yield Notice(_instead(forecast, forecast.smaller))
        wanted = yield from find(forecast.smaller.quantization)
        forecast = yield from estimate(hub, wanted, room=room, context_tokens=context_tokens)
    if forecast is not None:
        yield Notice(forecast.in_words())
    return wanted, forecast


def _is_begun(hub: Hub, wanted: Selection) -> bool:
    """Of a checkpoint all types are made, so it matters only what was made of it."""
    source = wanted.target
    if wanted.made_file("target") is not None or source.local is not None:
        return wanted.made_file("target") is not None or source.kind == GGUF
    if source.kind != GGUF or source.wanted is None:
        return False
    return is_begun(hub, source.wanted)


def _instead(forecast: Forecast, smaller: Option) -> str:
    chosen = forecast.chosen
    return (
        f"{chosen.quantization} does not fit: {chosen.plan.why[:1].lower()}{chosen.plan.why[1:]} "
        f"Taking {smaller.quantization} ({in_gb(smaller.size_bytes)}); --quant {chosen.quantization} insists."
    )
