"""Gemma 4's tokenizer: BPE over characters, spaces written as ▁, and bytes for what no token covers."""

from collections.abc import Mapping
from typing import Any

from converters import names
from converters.config import Config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.vocabulary import (
    BYTE,
    CONTROL,
    NORMAL,
    USER_DEFINED,
    Vocabulary,
    added_tokens,
    dropped_rules,
    end_ids,
    merges,
    special_ids,
    stated_tokens,
    token_ids,
    token_table,
)

_ROLES = (
    ("bos", names.BOS_ID),
    ("eos", names.EOS_ID),
    ("unk", names.UNKNOWN_ID),
    ("pad", names.PAD_ID),
    ("mask", names.MASK_ID),
)
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# Special in tokenizer.json, but part of what is read: where thoughts and tool calls begin and end.
_SHOWN = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<tool_response|>", '<|"|>')


def is_gemma(tokenizer: Config) -> bool:
    model = tokenizer.section("model")
    return model.text("type") == "BPE" and model.flag("byte_fallback", default=False)


def gemma_vocabulary(tokenizer: Config, settings: Config, model: Config, generation: Config) -> Vocabulary:
    bpe = tokenizer.section("model")
    ids = token_ids(bpe, tokenizer)
    _check_rules(tokenizer, ids)
    tokens, types = token_table(ids, _types(tokenizer, ids), model.count("vocab_size"))
    special = special_ids(_ROLES, ids, settings, model, token_count=len(tokens))
    return Vocabulary(
        model="gemma4",
        tokens=tokens,
        types=types,
        merges=_merges(bpe),
        pre_tokenizer="gemma4",
        special_ids=(
            *special,
            *end_ids(tokens, types, special, generation=generation, model=model),
        ),
        adds_bos=True,  # llama.cpp insists
        suppressed=stated_tokens(generation, "suppress_tokens", len(tokens)),
        notice=dropped_rules(tokenizer),
    )


def _check_rules(tokenizer: Config, ids: Mapping[str, int]) -> None:
    """llama.cpp has these built in, so a tokenizer.json that says otherwise would be read wrongly."""
    normalizer = tokenizer.section("normalizer")
    writes_spaces = (
        normalizer.text("type") == "Replace"
        and normalizer.section("pattern").raw("String") == " "
        and normalizer.raw("content") == "▁"
    )
    splitter = tokenizer.section("pre_tokenizer")
    # Once spaces are written as ▁, a split at spaces finds none.
    splits_nowhere = not splitter.has("type") or splitter.section("pattern").raw("String") == " "
    if not writes_spaces or not splits_nowhere or tokenizer.section("model").flag("ignore_merges", default=False):
        raise UnsupportedModel("tokenizer.json splits text by other rules than Gemma 4's.")
    missing = [token for token in _BYTES if token not in ids]
    if missing:
        raise BadCheckpoint(f"tokenizer.json has no token {missing[0]}; text would be lost.")


def _types(tokenizer: Config, ids: Mapping[str, int]) -> dict[int, int]:
    added = {token["id"]: _added_type(token) for token in added_tokens(tokenizer)}
    return added | {ids[token]: BYTE for token in _BYTES}


def _added_type(token: Mapping[str, Any]) -> int:
    content = str(token["content"])
    if content in _SHOWN:
        return USER_DEFINED
    if token.get("special"):
        return CONTROL
    return NORMAL if "▁" in content else USER_DEFINED  # of a user-defined token llama.cpp would print the ▁ itself


def _merges(bpe: Config) -> tuple[str, ...]:
    found = merges(bpe)
    for merge in found:
        if merge.count(" ") != 1:
            raise bpe.fault("merges", "pairs of tokens, and spaces written as ▁", merge)
        if "\n" in merge and merge.strip("\n ") != "":
            raise UnsupportedModel("tokenizer.json joins text across the end of a line, which llama.cpp does not.")
    return found
