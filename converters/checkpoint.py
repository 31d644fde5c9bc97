"""A Hugging Face checkpoint folder: config.json and the tensors of one or several safetensors files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.config import Config, read_config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.safetensors import StoredTensor, open_tensors

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_CONVERTIBLE = ("BF16", "F16", "F32")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    folder: Path
    config: Config
    tensors: Mapping[str, StoredTensor]

    @property
    def architecture(self) -> str:
        names = self.config.raw("architectures")
        if not isinstance(names, list) or not names or not isinstance(names[0], str):
            raise BadCheckpoint(f"config.json in {self.folder} does not name an architecture.")
        return names[0]

    def tensor(self, name: str, *shape: int) -> StoredTensor:
        """The tensor of that name, which must have that shape and a type we can convert."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise BadCheckpoint(f"The checkpoint in {self.folder} has no tensor {name!r}.")
        if tensor.dtype not in _CONVERTIBLE:
            raise UnsupportedModel(
                f"Tensor {name!r} is stored as {tensor.dtype}; only BF16, F16 and F32 can be converted.",
                hint="Use the checkpoint that is not quantized.",
            )
        if tensor.shape != shape:
            raise BadCheckpoint(
                f"Tensor {name!r} has shape {list(tensor.shape)}, but config.json asks for {list(shape)}."
            )
        return tensor

    def refuse_others(self, known: set[str]) -> None:
        """A tensor left out would change the model without a word, so an unknown one is an error."""
        for name in self.tensors:
            # Rotary tables can be computed; old checkpoints store them all the same.
            if name not in known and not name.endswith("rotary_emb.inv_freq"):
                raise UnsupportedModel(
                    f"Tensor {name!r} has no place in a {self.architecture}; "
                    "the checkpoint has parts this converter does not know."
                )


def open_checkpoint(folder: Path) -> Checkpoint:
    if not folder.is_dir():
        raise BadCheckpoint(
            f"{folder} is not a checkpoint folder.", hint="Give the folder with config.json and the safetensors files."
        )
    try:
        return Checkpoint(folder, read_config(folder / "config.json"), _open_weights(folder))
    except OSError as error:
        reason = f"{error.filename or folder} cannot be read: {error.strerror or error}."
        raise BadCheckpoint(reason, hint="Check who may read it, or download it again.") from error


def _open_weights(folder: Path) -> dict[str, StoredTensor]:
    if (folder / _SINGLE).exists():
        return open_tensors(folder / _SINGLE)
    if (folder / _INDEX).exists():
        return _open_shards(folder, read_config(folder / _INDEX))
    raise BadCheckpoint(
        f"{folder} has no {_SINGLE} and no {_INDEX}.",
        hint="Only safetensors weights can be converted; download the whole checkpoint.",
    )


def _open_shards(folder: Path, index: Config) -> dict[str, StoredTensor]:
    weight_map = index.raw("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise index.fault("weight_map", "a table of tensors and files", weight_map)
    files = sorted({_shard_name(name, index) for name in weight_map.values()})
    shards = {name: open_tensors(_existing(folder / name, len(files))) for name in files}
    for tensor, file in weight_map.items():
        if tensor not in shards[file]:
            raise BadCheckpoint(f"Tensor {tensor!r} is not in {file}, where {_INDEX} says it is.")
    return {tensor: shards[file][tensor] for tensor, file in weight_map.items()}


def _shard_name(name: object, index: Config) -> str:
    # A name and nothing else: an index must not be able to point outside its folder.
    if not isinstance(name, str) or Path(name).name != name or "\\" in name:
        raise index.fault("weight_map", "a table of tensors and file names", name)
    return name


def _existing(path: Path, file_count: int) -> Path:
    if not path.is_file():
        raise BadCheckpoint(
            f"{path.name} is missing from {path.parent} (the checkpoint has {file_count} files of weights).",
            hint="Download the checkpoint again; it resumes where it stopped.",
        )
    return path
