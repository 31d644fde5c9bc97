"""A checkpoint's tokenizer as a GGUF file without tensors, opened as the engine opens a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llama_cpp import llama_cpp as c
from tokenizers import Tokenizer as Reference

from converters.config import Config
from converters.plan import FilePlan
from converters.vocab import read_vocabulary
from converters.writer import write_gguf
from sparkdesk.engine.llama.model import Model
from sparkdesk.engine.tokenizer import Tokenizer
from tests.converters.native import loaded


@dataclass(frozen=True, slots=True)
class OpenedVocabulary:
    reference: Reference
    """As the tokenizers library reads the checkpoint."""
    tokenizer: Tokenizer
    raw: Model
    """As llama.cpp alone reads the file."""


@contextmanager
def opened(folder: Path, out: Path, *, size: int) -> Iterator[OpenedVocabulary]:
    """Of tokenizer.json in `folder`, for embeddings of `size` rows."""
    vocabulary = read_vocabulary(folder, Config({"vocab_size": size}, "config.json"))
    for _ in write_gguf(FilePlan("qwen3", vocabulary.entries(), ()), out):
        pass
    with loaded(out, vocabulary_only=True) as pointer:
        model = Model.__new__(Model)  # the whole one needs tensors
        model.path, model.pointer, model._vocabulary = out, pointer, c.llama_model_get_vocab(pointer)
        yield OpenedVocabulary(Reference.from_file(str(folder / "tokenizer.json")), Tokenizer(model), model)
