"""A tiny Gemma 4 tokenizer.json: 256 byte tokens, Gemma's special tokens, runs of newlines and spaces, a few merges."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.converters.tokenizer import TEXT

SPECIAL = (
    *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|tool_call>", "<tool_call|>", "<|tool_response>"),
    *("<tool_response|>", '<|"|>', "<|think|>", "<|channel>", "<channel|>", "<|turn>", "<turn|>"),
    *("<|image|>", "<|audio|>"),
)
EOS, MASK, TOOL_RESPONSE, TURN_END, IMAGE, AUDIO = (
    SPECIAL.index(token) for token in ("<eos>", "<mask>", "<|tool_response>", "<turn|>", "<|image|>", "<|audio|>")
)
_RUNS = [character * length for character in ("\n", "▁") for length in range(2, 6)]
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_LEARNT_COUNT = 200
CHAT_TEMPLATE = "{{ bos_token }}{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}"


def write_gemma4_tokenizer(folder: Path) -> None:
    """tokenizer.json, tokenizer_config.json, generation_config.json and chat_template.jinja."""
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()), encoding="utf-8")
    settings = {f"{role}_token": f"<{role}>" for role in ("pad", "eos", "bos", "unk", "mask")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    generation = {"eos_token_id": [EOS, TURN_END, TOOL_RESPONSE], "suppress_tokens": [IMAGE, AUDIO]}
    (folder / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _tokenizer() -> dict[str, Any]:
    learned, merges = _train()
    tokens = [*SPECIAL, *_RUNS, *_BYTES, *(token for token in learned if token not in _RUNS)]
    known = set(tokens)
    runs = [pair for run in reversed(_RUNS) for pair in _splits(run) if known.issuperset(pair)]
    merges = [*runs, *(merge for merge in merges if "".join(merge) not in _RUNS)]
    return {
        "version": "1.0",
        "added_tokens": [_added(token_id, token) for token_id, token in enumerate(SPECIAL)],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {token: token_id for token_id, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        },
    }


def _train() -> tuple[Sequence[str], list[tuple[str, str]]]:
    """Characters and merges, none of them across a line's end: Gemma has no such token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n+"), behavior="isolated")
    trainer = trainers.BpeTrainer(vocab_size=_LEARNT_COUNT, limit_alphabet=90, show_progress=False)
    tokenizer.train_from_iterator([TEXT.replace("\n\n", "\n")] * 4, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(merge) for merge in model["merges"]]


def _splits(run: str) -> list[tuple[str, str]]:
    return [(run[:at], run[at:]) for at in range(len(run) - 1, 0, -1)]


def _added(token_id: int, token: str) -> dict[str, object]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": token, "special": True, **flags}
