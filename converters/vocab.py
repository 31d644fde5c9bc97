"""The tokenizer of a checkpoint as GGUF entries: byte-level BPE from tokenizer.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters import names
from converters.config import Config, read_config, read_optional_config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.metadata import Entry, flag, i32_list, text, text_list, u32

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5

# llama.cpp splits text by rules it knows by name; the patterns are how a tokenizer.json says the same.
_PRE_TOKENIZERS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    pre_tokenizer: str
    special_ids: tuple[tuple[str, int], ...]
    """GGUF key and token id."""

    adds_bos: bool

    def entries(self) -> tuple[Entry, ...]:
        return (
            text(names.TOKENIZER_MODEL, "gpt2"),
            text(names.TOKENIZER_PRE, self.pre_tokenizer),
            text_list(names.TOKENS, self.tokens),
            i32_list(names.TOKEN_TYPES, self.types),
            text_list(names.MERGES, self.merges),
            *(u32(key, token_id) for key, token_id in self.special_ids),
            flag(names.ADD_BOS, self.adds_bos),
        )


def read_vocabulary(folder: Path, model: Config) -> Vocabulary:
    """The vocabulary in a checkpoint folder, filled up to the rows its embeddings have."""
    path = folder / "tokenizer.json"
    if not path.exists():
        raise BadCheckpoint(f"tokenizer.json is missing from {folder}.", hint="Download the whole checkpoint again.")
    tokenizer = read_config(path)
    bpe = _byte_level_bpe(tokenizer)
    settings = read_optional_config(folder / "tokenizer_config.json")
    ids = _token_ids(bpe, tokenizer)
    tokens, types = _table(ids, _added_types(tokenizer), model.count("vocab_size"))
    return Vocabulary(
        tokens=tokens,
        types=types,
        merges=_merges(bpe),
        pre_tokenizer=_pre_tokenizer(tokenizer),
        special_ids=_special_ids(ids, settings, model, len(tokens)),
        adds_bos=settings.flag("add_bos_token", default=False),
    )


def _byte_level_bpe(tokenizer: Config) -> Config:
    model = tokenizer.section("model")
    is_plain = model.text("type") == "BPE" and not model.flag("byte_fallback", default=False)
    if not is_plain or tokenizer.section("decoder").text("type") != "ByteLevel":
        raise UnsupportedModel("tokenizer.json is not a byte-level BPE, the only kind this converter knows.")
    return model


def _token_ids(bpe: Config, tokenizer: Config) -> dict[str, int]:
    ids = bpe.raw("vocab")
    if not isinstance(ids, dict) or any(type(token_id) is not int for token_id in ids.values()):
        raise bpe.fault("vocab", "a table of tokens and ids", ids)
    return ids | {token["content"]: token["id"] for token in _added_tokens(tokenizer)}


def _added_tokens(tokenizer: Config) -> list[dict[str, Any]]:
    tokens = tokenizer.raw("added_tokens") or []
    for token in tokens:
        is_sound = isinstance(token, dict) and type(token.get("id")) is int and isinstance(token.get("content"), str)
        if not is_sound:
            raise tokenizer.fault("added_tokens", "a list of tokens with id and content", token)
    return list(tokens)


def _added_types(tokenizer: Config) -> dict[int, int]:
    return {token["id"]: _CONTROL if _is_control(token) else _USER_DEFINED for token in _added_tokens(tokenizer)}


def _is_control(token: Mapping[str, Any]) -> bool:
    # Some <|...|> tokens are not marked special; llama.cpp must still not read them in a user's text.
    content = str(token["content"])
    return bool(token.get("special")) or (content.startswith("<|") and content.endswith("|>"))


def _table(ids: Mapping[str, int], added: Mapping[int, int], rows: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    by_id = {token_id: token for token, token_id in ids.items()}
    largest = max(by_id, default=-1)
    if not by_id or min(by_id) < 0 or largest >= rows:
        raise BadCheckpoint(f"tokenizer.json has a token with id {largest}, but config.json a vocab_size of {rows}.")
    tokens = tuple(by_id.get(i, f"[PAD{i}]") for i in range(rows))
    return tokens, tuple(added.get(i, _NORMAL if i in by_id else _UNUSED) for i in range(rows))


def _merges(bpe: Config) -> tuple[str, ...]:
    merges = bpe.raw("merges")
    if not isinstance(merges, list):
        raise bpe.fault("merges", "a list", merges)
    # Older files write "a b", newer ones ["a", "b"]; byte-level tokens contain no space.
    return tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in merges)


def _pre_tokenizer(tokenizer: Config) -> str:
    section = tokenizer.section("pre_tokenizer")
    steps = section.raw("pretokenizers") or []
    patterns = [step["pattern"].get("Regex") for step in steps if isinstance(step, dict) and "pattern" in step]
    name = _PRE_TOKENIZERS.get(patterns[0]) if len(patterns) == 1 else None
    if name is None:
        raise UnsupportedModel(
            "tokenizer.json splits text by a rule this converter does not know.",
            hint=f"Known rules: {', '.join(sorted(set(_PRE_TOKENIZERS.values())))}.",
        )
    return name


def _special_ids(
    ids: Mapping[str, int], settings: Config, model: Config, token_count: int
) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for role, key in (("bos", names.BOS_ID), ("eos", names.EOS_ID), ("pad", names.PAD_ID)):
        token_id = _special_id(role, ids, settings, model)
        if token_id is not None and 0 <= token_id < token_count:
            found.append((key, token_id))
    if names.EOS_ID not in dict(found):  # llama.cpp would take token 11, whatever that is
        raise BadCheckpoint("Neither tokenizer_config.json nor config.json says which token ends a text.")
    return tuple(found)


def _special_id(role: str, ids: Mapping[str, int], settings: Config, model: Config) -> int | None:
    """tokenizer_config.json names the token, config.json its id; the first is what chat models mean."""
    token = settings.raw(f"{role}_token")
    content = token.get("content") if isinstance(token, dict) else token
    if isinstance(content, str) and content in ids:
        return ids[content]
    stated = model.raw(f"{role}_token_id")
    stated = stated[0] if isinstance(stated, list) and stated else stated
    return stated if type(stated) is int else None
