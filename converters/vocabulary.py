"""What the tokenizers this package knows have in common: a table of tokens, merges, and special ids."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters import names
from converters.config import Config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.names import Entry, flag, i32_list, text, text_list, u32

_MOST_TOKENS = 1 << 24
_DROPPED_RULES = ("lstrip", "rstrip", "single_word")
_MOST_LISTED = 3
NORMAL, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Vocabulary:
    model: str
    """llama.cpp's name for the kind of tokenizer."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    pre_tokenizer: str
    special_ids: tuple[tuple[str, int], ...]
    """GGUF key and token id."""

    adds_bos: bool
    suppressed: tuple[int, ...] = ()
    """Tokens the model must never say."""

    normalizer: str = ""
    """How text is normalized before it is cut, such as "NFC"; "none" where it is not; empty for llama.cpp's own way."""

    notice: str = ""
    """What of the tokenizer does not come along, in words for the user."""

    def entries(self) -> tuple[Entry, ...]:
        return (
            text(names.TOKENIZER_MODEL, self.model),
            text(names.TOKENIZER_PRE, self.pre_tokenizer),
            text_list(names.TOKENS, self.tokens),
            i32_list(names.TOKEN_TYPES, self.types),
            text_list(names.MERGES, self.merges),
            *(u32(key, token_id) for key, token_id in self.special_ids),
            flag(names.ADD_BOS, self.adds_bos),
            *((i32_list(names.SUPPRESS_TOKENS, self.suppressed),) if self.suppressed else ()),
            *((text(names.NORMALIZER, self.normalizer),) if self.normalizer else ()),
        )


def token_ids(bpe: Config, tokenizer: Config) -> dict[str, int]:
    ids = bpe.raw("vocab")
    if not isinstance(ids, dict) or any(type(token_id) is not int for token_id in ids.values()):
        raise bpe.fault("vocab", "a table of tokens and ids", ids)
    return ids | {token["content"]: token["id"] for token in added_tokens(tokenizer)}


def added_tokens(tokenizer: Config) -> list[dict[str, Any]]:
    tokens = tokenizer.items("added_tokens")
    for token in tokens:
        is_sound = isinstance(token, dict) and type(token.get("id")) is int and isinstance(token.get("content"), str)
        if not is_sound:
            raise tokenizer.fault("added_tokens", "a list of tokens with id and content", token)
    return list(tokens)


def dropped_rules(tokenizer: Config) -> str:
    """Rules of added tokens that llama.cpp has no place for, in words for the user; empty where there are none."""
    rules = {
        rule: [str(token["content"]) for token in added_tokens(tokenizer) if token.get(rule)] for rule in _DROPPED_RULES
    }
    found = [f"{rule} of {_listed(tokens)}" for rule, tokens in rules.items() if tokens]
    return f"Left out of the tokenizer, because llama.cpp cannot do it: {', '.join(found)}." if found else ""


def _listed(tokens: Sequence[str]) -> str:
    shown = " ".join(tokens[:_MOST_LISTED])
    return f"{shown} and {len(tokens) - _MOST_LISTED} more" if len(tokens) > _MOST_LISTED else shown


def token_table(
    ids: Mapping[str, int], known_types: Mapping[int, int], rows: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Tokens and types, filled up to the rows of the embeddings."""
    if rows > _MOST_TOKENS:  # before a table of that length is made
        raise BadCheckpoint(f"config.json has a vocab_size of {rows:,}, more than any tokenizer.")
    by_id = {token_id: token for token, token_id in ids.items()}
    largest = max(by_id, default=-1)
    if not by_id or min(by_id) < 0 or largest >= rows:
        raise BadCheckpoint(f"tokenizer.json has a token with id {largest}, but config.json a vocab_size of {rows}.")
    tokens = tuple(by_id.get(i, f"[PAD{i}]") for i in range(rows))
    return tokens, tuple(known_types.get(i, NORMAL if i in by_id else UNUSED) for i in range(rows))


def merges(bpe: Config) -> tuple[str, ...]:
    stated = bpe.raw("merges")
    if not isinstance(stated, list) or not stated:  # a GGUF holds no empty list
        raise bpe.fault("merges", "a list of pairs of tokens", stated)
    # Older files write "a b", newer ones ["a", "b"]; no token this package knows contains a space.
    return tuple(merge if isinstance(merge, str) else " ".join(_pair(merge, bpe)) for merge in stated)


def _pair(merge: object, bpe: Config) -> list[str]:
    if not isinstance(merge, list) or len(merge) != 2 or not all(isinstance(part, str) for part in merge):
        raise bpe.fault("merges", "a list of pairs of tokens", merge)
    return merge


def special_ids(
    roles: Sequence[tuple[str, str]], ids: Mapping[str, int], settings: Config, model: Config, *, token_count: int
) -> tuple[tuple[str, int], ...]:
    """GGUF key and id of each role, such as `eos`, that the checkpoint names."""
    found: list[tuple[str, int]] = []
    for role, key in roles:
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


# A control token of one of these names ends a reply without being stated; for others there are two keys.
_KNOWN = (
    *("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "</s>"),
    *("<eos>", "<end_of_turn>", "<turn|>", "<|tool_response>"),
)
_KEYS = (names.EOT_ID, names.EOM_ID)


def end_ids(
    tokens: Sequence[str],
    types: Sequence[int],
    special: Sequence[tuple[str, int]],
    *,
    generation: Config,
    model: Config,
) -> Iterator[tuple[str, int]]:
    """GGUF key and id of each; generation_config.json has the last word on them where it says any."""
    source = generation if generation.has("eos_token_id") else model
    stated = stated_tokens(source, "eos_token_id", len(tokens))
    eos = dict(special)[names.EOS_ID]
    known = {token for token in stated if tokens[token] in _KNOWN and types[token] == CONTROL}
    unknown = [token for token in dict.fromkeys(stated) if token != eos and token not in known]
    if len(unknown) > len(_KEYS):
        raise UnsupportedModel(f"{len(unknown) + 1} tokens end a reply, more than a GGUF file can name.")
    yield from zip(_KEYS, unknown, strict=False)


def stated_tokens(config: Config, name: str, token_count: int) -> tuple[int, ...]:
    """One token's id or a list of them; none where the field is not there."""
    stated = config.raw(name)
    ids = stated if isinstance(stated, list) else [] if stated is None else [stated]
    if any(type(token) is not int or not 0 <= token < token_count for token in ids):
        raise config.fault(name, "tokens of the vocabulary", stated)
    return tuple(ids)
