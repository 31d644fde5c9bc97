"""What the details pane says of a model, a pair, an entry of the catalogue or a find. Pure text in lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkdesk.builder.catalog_state import READY, Listed
from sparkdesk.catalog.entry import RELEASED, ModelEntry
from sparkdesk.hub.search import DRAFT as DRAFT_HIT
from sparkdesk.hub.search import Hit
from sparkdesk.hub_layout import PARTIAL_SUFFIX
from sparkdesk.library.model import Library, Model, Pair, Partial
from sparkdesk.sizes import parameters_in_words, size_in_words
from sparkdesk.ui.models.rows import Bundled, Row, name_of

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.fit import Plan

_ASKING = "…"


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    text: str
    is_bad: bool = False


def facts_of(row: Row, library: Library, *, plan: Plan | None, forecast: Forecast | None) -> Iterator[Fact]:
    """The first one is the title."""
    match row.item:
        case Pair() as pair:
            yield Fact("", row.cells[0])
            yield from _trouble(row)
            yield from _of_pair(pair, plan)
        case Model() as model:
            yield Fact("", model.name)
            yield from _trouble(row)
            yield from _of_model(model, plan, library)
        case Listed() as listed:
            yield from _of_entry(listed, forecast)
        case Hit() as hit:
            yield from _of_hit(hit, forecast)
        case Partial() as partial:
            yield from _of_partial(partial)
        case Bundled(name):
            yield Fact("", name)
            yield Fact("", "A very small pair that comes with SparkDesk. No download; ready in seconds.")


def fit_in_words(plan: Plan) -> str:
    """ "fits with 8,192 tokens of context; 36 of 37 layers on the GPU"."""
    context = f"{plan.context_tokens:,} tokens of context"
    takes = size_in_words(plan.need.total_bytes)
    if not plan.fits:
        free = size_in_words(max(plan.free.host_bytes, plan.free.gpu_bytes))
        shorter = f" It would with {plan.shorter_context:,} tokens." if plan.shorter_context else ""
        return f"does not fit with {context}: needs {takes}, {free} free.{shorter}"
    if not plan.free.has_gpu:
        return f"fits with {context}, in {takes} of memory"
    if not plan.advice:
        return f"fits with {context}, entirely on the GPU, in {takes}"
    shorter = f"; all of them with {plan.shorter_context:,} tokens" if plan.shorter_context else ""
    experts = f", the experts of {plan.layout.cpu_experts} on the CPU" if plan.layout.cpu_experts else ""
    return f"fits with {context}; {plan.gpu_layers} layers on the GPU{experts}{shorter}"


def _trouble(row: Row) -> Iterator[Fact]:
    if row.trouble:
        yield Fact("", row.trouble, is_bad=True)


def _of_pair(pair: Pair, plan: Plan | None) -> Iterator[Fact]:
    yield from _fit(plan)
    for role, model in (("target", pair.target), ("draft", pair.draft)):
        if model is not None:
            yield Fact(role, f"{model.name} · {_sizes(model)}")
    if pair.target is not None:
        yield from _about(pair.target)
    for model in pair.models:
        yield Fact("file", str(model.path))


def _of_model(model: Model, plan: Plan | None, library: Library) -> Iterator[Fact]:
    if model.role == "target" and model.is_usable:
        yield from _fit(plan)
    yield Fact(model.role if model.is_usable else "file", _sizes(model))
    if model.is_usable:
        yield from _about(model)
    fitting = [pair.target.name for pair in library.pairs_with(model) if pair.draft == model and pair.target]
    if model.role == "draft" and model.is_usable:
        yield Fact("fits", ", ".join(dict.fromkeys(fitting)) or "no installed target")
    elif model.role == "target" and model.is_usable and not library.pairs_with(model):
        yield Fact("draft", "none installed")
    if model.role == "target" and model.is_usable:
        yield Fact("gains with", ", ".join(model.drafters) or "nothing: it only chats")
    if model.same_as is not None:
        yield Fact("duplicate", f"of {model.same_as}")
    for file in model.files:
        yield Fact("file", str(file))


def _about(model: Model) -> Iterator[Fact]:
    header = model.header
    if header is None:
        return
    prefix = header.architecture
    layers, context = (header.metadata.get(f"{prefix}.{name}") for name in ("block_count", "context_length"))
    parts = [header.architecture, f"{layers} layers" if layers else "", _trained(context)]
    yield Fact("model", " · ".join(part for part in parts if part))
    licence = header.metadata.get("general.license")
    source = model.repo or header.metadata.get("general.source.huggingface.repository")
    parts = [str(part) for part in (source, f"licence {licence}" if licence else "") if part]
    if parts:
        yield Fact("from", " · ".join(parts))


def _trained(context: object) -> str:
    return f"trained with {context:,} tokens" if isinstance(context, int) and context else ""


def _sizes(model: Model) -> str:
    size = size_in_words(model.size_bytes).replace(" ", "\u00a0")  # not to be torn apart at a line's end
    parts = (parameters_in_words(model.parameter_count), model.quantization, size)
    return " · ".join(part for part in parts if part)


def _fit(plan: Plan | None) -> Iterator[Fact]:
    yield Fact("fit", _ASKING if plan is None else fit_in_words(plan), is_bad=plan is not None and not plan.fits)


def _of_entry(listed: Listed, forecast: Forecast | None) -> Iterator[Fact]:
    entry = listed.entry
    yield Fact("", entry.title)
    if forecast is not None:
        yield Fact("fit", forecast.in_words(), is_bad=not forecast.fits)
    elif listed.state != READY:
        yield Fact("get", "Enter asks the hub for sizes and lets you choose the quantization.")
    yield Fact("name", f"{entry.name} · {_KINDS[entry.kind == RELEASED]}")
    for role, model in (("target", entry.target), ("draft", entry.draft)):
        yield Fact(role, " · ".join(filter(None, (_source(model), model.licence and f"licence {model.licence}"))))
    for note in entry.remarks:
        yield Fact("note", note)


_KINDS = {True: "released by DeepSpec's authors", False: "from the community"}


def _source(model: ModelEntry) -> str:
    return ", ".join([*(source.repository for source in model.gguf), model.checkpoint or ""]).strip(", ")


def _of_hit(hit: Hit, forecast: Forecast | None) -> Iterator[Fact]:
    yield Fact("", hit.model.name)
    if forecast is not None:
        yield Fact("fit", forecast.in_words(), is_bad=not forecast.fits)
    if hit.role == DRAFT_HIT:
        yield Fact("draft", "Enter builds a pair from it and its target.")
    else:
        yield Fact("target", "Enter shows what it needs, then downloads it.")
    if hit.model.is_gated:
        yield Fact("gated", "Accept the licence on its page on the hub, then run: hf auth login.")
    base = [tag.rpartition(":")[2] for tag in hit.model.tags if tag.startswith("base_model:")]
    if base:
        yield Fact("made from", ", ".join(dict.fromkeys(base)))
    licence = [tag.removeprefix("license:") for tag in hit.model.tags if tag.startswith("license:")]
    if licence:
        yield Fact("licence", ", ".join(licence))


def _of_partial(partial: Partial) -> Iterator[Fact]:
    yield Fact("", name_of(partial))
    if partial.is_in_use:
        yield Fact("state", "in progress: another program is writing to it")
    elif partial.path.name.endswith(PARTIAL_SUFFIX):
        yield Fact("state", "an interrupted download: Enter resumes it, Del removes it")
    else:
        yield Fact("state", "left by an interrupted conversion: Del removes it; building the pair again starts over")
    yield Fact("size", size_in_words(partial.size_bytes))
    yield Fact("file", str(partial.path))
