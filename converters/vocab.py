"""The tokenizer of a checkpoint, from tokenizer.json: byte-level BPE here, Gemma's kind in gemma_vocab.py."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters import names
from converters.config import Config, read_config, read_optional_config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.gemma_vocab import gemma_vocabulary, is_gemma
from converters.vocabulary import (
    CONTROL,
    USER_DEFINED,
    Vocabulary,
    added_tokens,
    dropped_rules,
    end_ids,
    merges,
    special_ids,
    token_ids,
    token_table,
)

# llama.cpp splits text by rules it knows by name; the patterns are how a tokenizer.json says the same.
_PRE_TOKENIZERS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}
_NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_ROLES = (("bos", names.BOS_ID), ("eos", names.EOS_ID), ("pad", names.PAD_ID))


def read_vocabulary(folder: Path, model: Config) -> Vocabulary:
    """The vocabulary in a checkpoint folder, filled up to the rows its embeddings have."""
    path = folder / "tokenizer.json"
    if not path.exists():
        raise BadCheckpoint(f"tokenizer.json is missing from {folder}.", hint="Download the whole checkpoint again.")
    tokenizer = read_config(path)
    settings = read_optional_config(folder / "tokenizer_config.json")
    generation = read_optional_config(folder / "generation_config.json")
    if is_gemma(tokenizer):
        return gemma_vocabulary(tokenizer, settings, model, generation)
    return _byte_level_vocabulary(tokenizer, settings, model, generation)


def _byte_level_vocabulary(tokenizer: Config, settings: Config, model: Config, generation: Config) -> Vocabulary:
    bpe = _byte_level_bpe(tokenizer)
    ids = token_ids(bpe, tokenizer)
    tokens, types = token_table(ids, _added_types(tokenizer), model.count("vocab_size"))
    special = special_ids(_ROLES, ids, settings, model, token_count=len(tokens))
    return Vocabulary(
        model="gpt2",
        tokens=tokens,
        types=types,
        merges=merges(bpe),
        pre_tokenizer=_pre_tokenizer(tokenizer),
        special_ids=(
            *special,
            *end_ids(tokens, types, special, generation=generation, model=model),
        ),
        adds_bos=settings.flag("add_bos_token", default=False),
        normalizer=_normalizer(tokenizer),
        notice=dropped_rules(tokenizer),
    )


def _byte_level_bpe(tokenizer: Config) -> Config:
    model = tokenizer.section("model")
    if model.text("type") != "BPE" or tokenizer.section("decoder").text("type") != "ByteLevel":
        raise UnsupportedModel("tokenizer.json is not a byte-level BPE and not Gemma's; others cannot be converted.")
    return model


def _added_types(tokenizer: Config) -> dict[int, int]:
    return {token["id"]: CONTROL if _is_control(token) else USER_DEFINED for token in added_tokens(tokenizer)}


def _is_control(token: Mapping[str, Any]) -> bool:
    # Some <|...|> tokens are not marked special; llama.cpp must still not read them in a user's text.
    content = str(token["content"])
    return bool(token.get("special")) or (content.startswith("<|") and content.endswith("|>"))


def _normalizer(tokenizer: Config) -> str:
    """The Unicode form that text is brought into, which llama.cpp leaves to whoever calls it."""
    stated = tokenizer.raw("normalizer")
    steps = stated.get("normalizers") if isinstance(stated, dict) and stated.get("type") == "Sequence" else [stated]
    forms = [step.get("type") if isinstance(step, dict) else step for step in steps or [] if step is not None]
    if any(form not in _NORMAL_FORMS for form in forms) or len(forms) > 1:
        named = ", ".join(str(form)[:40] for form in forms)
        raise UnsupportedModel(
            f"tokenizer.json normalizes text in a way this converter does not know: {named}.",
            hint=f"Known ways: {', '.join(_NORMAL_FORMS)}.",
        )
    return str(forms[0]) if forms else "none"


def _pre_tokenizer(tokenizer: Config) -> str:
    section = tokenizer.section("pre_tokenizer")
    steps = [step for step in section.items("pretokenizers") if isinstance(step, dict) and "pattern" in step]
    patterns = [step["pattern"].get("Regex") if isinstance(step["pattern"], dict) else None for step in steps]
    name = _PRE_TOKENIZERS.get(str(patterns[0])) if len(patterns) == 1 else None
    if name is None:
        raise UnsupportedModel(
            "tokenizer.json splits text by a rule this converter does not know.",
            hint=f"Known rules: {', '.join(sorted(set(_PRE_TOKENIZERS.values())))}.",
        )
    return name
