"""Which files of a repository are wanted: a GGUF file by its quantization, or a checkpoint. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sparkdesk.errors import NotOnHub, UsageError
from sparkdesk.hub.repository import HubFile, Repository

DEFAULT_QUANTIZATION = "Q4_K_M"

_QUANTIZATION = re.compile(
    r"(?:^|[-_.])((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|BF16|F16|F32|MXFP4))(?=[-_.]|$)", re.I
)
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")
# Beside a model lie its eyes, its other drafts, and what it was quantized by.
_NO_TARGET = re.compile(r"mmproj|imatrix|(?:^|[-_./])(?:mtp|eagle\d*|dspark|dflash)(?=[-_./]|$)", re.I)
_DRAFT_KINDS = ("dspark", "dflash", "eagle", "mtp")
"""In names of files, the best first: what this program was made for, and token by token after whole blocks."""
_DRAFT = re.compile(r"dspark|dflash|(?:^|[-_./])(?:eagle|mtp)\d*(?=[-_./])", re.I)
_DRAFT_QUANTIZATION = "Q8_0"
_CHECKPOINT = re.compile(
    r"(?:(?:generation_|preprocessor_|processor_)?config|tokenizer[\w.]*|vocab|added_tokens|special_tokens_map"
    r"|model\.safetensors\.index)\.json|merges\.txt|tokenizer\.model|chat_template\.\w+|README\.md|LICENSE[\w.]*",
    re.I,
)
_INDEX = "model.safetensors.index.json"
_WEIGHTS = re.compile(r"model(?:-\d{5}-of-\d{5})?\.safetensors")


@dataclass(frozen=True, slots=True)
class GgufChoice:
    """One GGUF model of a repository; more than one file when it was split."""

    quantization: str
    """Empty when the name does not tell."""
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def quantization_of(path: str) -> str:
    """ "Qwen3-8B-Q4_K_M.gguf" -> "Q4_K_M"."""
    found = _QUANTIZATION.findall(_stem(path))
    return found[-1].upper() if found else ""


def gguf_choices(repository: Repository, *, is_draft: bool = False) -> tuple[GgufChoice, ...]:
    """The targets, or the drafts, among its GGUF files; the smallest first."""
    wanted = (file for file in repository.files if file.path.lower().endswith(".gguf"))
    stems: dict[str, list[HubFile]] = {}
    for file in wanted:
        if _DRAFT.search(file.path) if is_draft else not _NO_TARGET.search(file.path):
            stems.setdefault(_PART.sub("", _stem(file.path)), []).append(file)
    choices = [GgufChoice(quantization_of(stem), _in_order(files)) for stem, files in stems.items()]
    return tuple(sorted(choices, key=lambda choice: choice.size_bytes))


def choose_gguf(repository: Repository, quantization: str = "", *, is_draft: bool = False) -> GgufChoice:
    """The one that was asked for, else the usual one, else the only one. Raises NotOnHub or UsageError."""
    choices = gguf_choices(repository, is_draft=is_draft)
    if not choices:
        raise NotOnHub(f"{repository.name} holds no GGUF {'draft' if is_draft else 'model'} that could be run.")
    if is_draft:
        choices = _of_best_kind(choices)
    usual = (_DRAFT_QUANTIZATION, DEFAULT_QUANTIZATION) if is_draft else (DEFAULT_QUANTIZATION,)
    for wanted in (quantization,) if quantization else usual:
        for choice in choices:
            if choice.quantization == wanted.upper():
                return choice
    if len(choices) == 1 and not quantization:
        return choices[0]
    missing = f"{repository.name} has no {quantization.upper()}." if quantization else "Several files match."
    raise UsageError(missing, f"Choose with --quant: {offered(choices)}.")


def _of_best_kind(choices: tuple[GgufChoice, ...]) -> tuple[GgufChoice, ...]:
    """Drafts of one kind only, where a repository holds several."""
    for kind in _DRAFT_KINDS:
        found = tuple(choice for choice in choices if kind in choice.files[0].path.lower())
        if found:
            return found
    return choices


def checkpoint_files(repository: Repository) -> tuple[HubFile, ...]:
    """What a converter reads, small files first, so that a missing permission shows at once."""
    top = {file.path: file for file in repository.files if "/" not in file.path}
    weights = [file for path, file in top.items() if _WEIGHTS.fullmatch(path)]
    if _INDEX in top and len(weights) > 1:
        weights = [file for file in weights if file.path != "model.safetensors"]
    if "config.json" not in top or not weights:
        raise NotOnHub(
            f"{repository.name} is not a checkpoint: it has no config.json with model.safetensors beside it.",
            "Name a repository of GGUF files, or of safetensors.",
        )
    small = [file for path, file in top.items() if _CHECKPOINT.fullmatch(path)]
    return (*sorted(small, key=lambda file: file.size_bytes), *_in_order(weights))


def has_gguf(repository: Repository) -> bool:
    return any(file.path.lower().endswith(".gguf") for file in repository.files)


def offered(choices: Iterable[GgufChoice]) -> str:
    return ", ".join(
        f"{choice.quantization or choice.files[0].name} ({in_gb(choice.size_bytes)})" for choice in choices
    )


def in_gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 5e7 else f"{size_bytes / 1e6:.1f} MB"


def _in_order(files: Iterable[HubFile]) -> tuple[HubFile, ...]:
    return tuple(sorted(files, key=lambda file: file.path))


def _stem(path: str) -> str:
    return path[: -len(".gguf")] if path.lower().endswith(".gguf") else path
