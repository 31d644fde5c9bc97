"""A byte-level BPE tokenizer of any size for made-up checkpoints: bytes, pairs of bytes, and triples."""

import json
from itertools import islice, product
from pathlib import Path

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|mask|>")
# As Qwen's tokenizers split text
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """tokenizer.json and its settings; `vocabulary` is at least 260, and 66,000 pairs are followed by triples."""
    tokens, merges = _tokens(vocabulary - len(_SPECIAL))
    added = [{"id": len(tokens) + i, "content": text, "special": True} for i, text in enumerate(_SPECIAL)]
    split = {"type": "Split", "pattern": {"Regex": _PATTERN}, "behavior": "Isolated", "invert": False}
    written = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel"}]},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges},
    }
    (folder / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
    settings = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": "{{ messages }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _tokens(count: int) -> tuple[list[str], list[list[str]]]:
    alphabet = _byte_letters()
    tokens, merges, longest = list(alphabet), [], list(alphabet)
    while len(tokens) < count:
        made = [[left, right] for left, right in islice(product(longest, alphabet), count - len(tokens))]
        longest = ["".join(merge) for merge in made]
        merges += made
        tokens += longest
    return tokens[:count], merges


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte, as in GPT-2."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = dict(zip(shown, map(chr, shown), strict=True))
    return [(letters | {byte: chr(256 + i) for i, byte in enumerate(hidden)})[byte] for byte in range(256)]
