"""The library as values: models, pairs, unfinished files, and finding one of them by name or path."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sparkdesk.gguf.architectures import drafters_for
from sparkdesk.gguf.header import GgufFile
from sparkdesk.library.model_dirs import Place

TARGET, DRAFT, OTHER = "target", "draft", "other"


@dataclass(frozen=True, slots=True)
class Model:
    """One model on disk; a split one is still one."""

    name: str
    path: Path
    """As llama.cpp wants it: of a split model, the first part."""
    files: tuple[Path, ...]
    place: Place
    role: str
    """ "target", "draft" or "other"."""
    size_bytes: int
    quantization: str = ""
    parameter_count: int = 0
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    repo: str = ""
    """ "Qwen/Qwen3-8B-GGUF" in the hub's cache."""
    last_used_s: float = 0.0
    """Seconds since 1970; 0 for never."""
    same_as: Path | None = None
    """Another file with the same bytes."""
    header: GgufFile | None = field(default=None, compare=False, repr=False)
    """None where it cannot be read."""

    @property
    def architecture(self) -> str:
        return self.header.architecture if self.header is not None else ""

    @property
    def drafters(self) -> tuple[str, ...]:
        """What can draft for it, in words; empty for a target that only chats, and for what is no target."""
        if self.role != TARGET or self.header is None:
            return ()
        has_mtp = self.header.whole_number(f"{self.architecture}.nextn_predict_layers") > 0
        return drafters_for(self.architecture, has_mtp=has_mtp)

    @property
    def is_usable(self) -> bool:
        return not self.problem and self.role != OTHER


@dataclass(frozen=True, slots=True)
class Pair:
    """A target and a draft that belong together."""

    name: str
    target: Model | None
    draft: Model | None
    folder: Path | None = None
    """Ours, for a pair that was built; None for two files that happen to fit."""
    quantization: str = ""
    problem: str = ""

    @property
    def is_built(self) -> bool:
        return self.folder is not None

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(model for model in (self.target, self.draft) if model is not None)

    @property
    def size_bytes(self) -> int:
        return sum(model.size_bytes for model in self.models)

    @property
    def last_used_s(self) -> float:
        return min((model.last_used_s for model in self.models), default=0.0)


@dataclass(frozen=True, slots=True)
class Partial:
    """What a conversion or a download left, or is still writing."""

    path: Path
    size_bytes: int
    place: Place
    is_in_use: bool
    """Somebody wrote to it lately."""


@dataclass(frozen=True, slots=True)
class Library:
    models: tuple[Model, ...] = ()
    pairs: tuple[Pair, ...] = ()
    partials: tuple[Partial, ...] = ()
    places: tuple[Place, ...] = ()

    @property
    def targets(self) -> tuple[Model, ...]:
        return tuple(model for model in self.models if model.role == TARGET)

    @property
    def drafts(self) -> tuple[Model, ...]:
        return tuple(model for model in self.models if model.role == DRAFT)

    def pair(self, name: str) -> Pair | None:
        """By name, in any case; a built one goes first."""
        found = [pair for pair in self.pairs if pair.name.lower() == name.lower()]
        return min(found, key=lambda pair: not pair.is_built, default=None)

    def model(self, name_or_path: str | Path) -> Model | None:
        """By path, or by a name that only one model has."""
        at = Path(name_or_path)
        for model in self.models:
            if at in model.files or at.absolute() in model.files:
                return model
        named = self.models_named(str(name_or_path))
        return named[0] if len(named) == 1 else None

    def models_named(self, name: str) -> tuple[Model, ...]:
        wanted = name.lower().removesuffix(".gguf")
        return tuple(model for model in self.models if model.name.lower() == wanted)

    def pairs_with(self, model: Model) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if model in pair.models)


# llama.cpp's numbers (llama_ftype).
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}  # fmt: skip
_GUESSED = 1024  # set beside the number by whoever was not sure
_TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


def quantization_of(header: GgufFile) -> str:
    """ "Q4_K_M", or "?" where nobody knows."""
    file_type = header.metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type % _GUESSED in _FILE_TYPES:
        return _FILE_TYPES[file_type % _GUESSED]
    weights: Counter[int] = Counter()
    for tensor in header.tensors.values():
        if len(tensor.shape) > 1:
            weights[tensor.ggml_type] += tensor.size_bytes
    return _TENSOR_TYPES.get(weights.most_common(1)[0][0], "?") if weights else "?"


def parameter_count(header: GgufFile) -> int:
    total = 0
    for tensor in header.tensors.values():
        count = 1
        for dimension in tensor.shape:
            count *= dimension
        total += count
    return total
