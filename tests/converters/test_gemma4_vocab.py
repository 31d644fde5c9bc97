"""Gemma 4's converted tokenizer splits text as the checkpoint's does, and ends replies where the checkpoint says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from converters import ConversionError, convert_draft, convert_target
from tests.converters.gemma4_checkpoints import make_gemma4_draft, make_gemma4_target
from tests.converters.gemma4_native import end_tokens, text_of
from tests.converters.gemma4_tokenizer import (
    AUDIO,
    CHAT_TEMPLATE,
    EOS,
    IMAGE,
    MASK,
    SPECIAL,
    TOOL_RESPONSE,
    TURN_END,
)
from tests.converters.gguf_reading import Reread
from tests.converters.native import tokenize
from tests.converters.tokenizer import TEXT

TEXTS = (
    TEXT,
    "",
    " ",
    "   leading, trailing and    inner      spaces   ",
    "\n",
    "\n\n\n\n\n\n\n\n\n\n\n\n\n",
    "line\r\nbreaks\n\n\nand\ttabs\t\t\n \n  \n",
    "▁a literal ▁▁ mark▁",
    "1234567890 3.14159 ½ Ⅷ ٣ 四",
    "I'll we've DON'T l'été naïve",
    "العربية עברית हिन्दी ไทย 한국어 日本語 ქართული አማርኛ",
    "e\u0301 é \u200b\u200d\ufeff zero widths \u202eright to left\u202c",
    "🏳️‍🌈👨‍👩‍👧‍👦 🤷🏽‍♀️ emoji \U000e0067",
    "\U0001d571\U0001d597\U0001d586 \U0010ffff \ue000 \x01\x7f",
    "def f(x):\n        return {'a': [x ** 2 for x in range(10)]}  # квадрат\n",
    "<|turn>user\nhi<turn|>\n<|turn>model\n<|channel>thought\nhm<channel|>",
    "don't split<turn|>here <eos><bos> <0x41> <unused0>",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted target beside its checkpoint: `target.gguf` and `target`."""
    folder = tmp_path_factory.mktemp("gemma4")
    make_gemma4_target(folder / "target")
    list(convert_target(folder / "target", folder / "target.gguf", output_type="BF16"))
    return folder


@pytest.mark.native
@pytest.mark.parametrize("text", TEXTS)
def test_the_gguf_splits_text_as_the_tokenizers_library_does(folder: Path, text: str) -> None:
    expected = Tokenizer.from_file(str(folder / "target" / "tokenizer.json")).encode(text, add_special_tokens=False)
    assert tokenize(folder / "target.gguf", text, parse_special=True) == expected.ids


@pytest.mark.native
@pytest.mark.parametrize("text", TEXTS[:-2])
def test_text_comes_back_as_it_was(folder: Path, text: str) -> None:
    tokens = tokenize(folder / "target.gguf", text, parse_special=False)
    assert text_of(folder / "target.gguf", tokens) == text.replace("▁", " ")


@pytest.mark.native
def test_control_tokens_in_plain_text_are_not_parsed(folder: Path) -> None:
    """A user who types <turn|> must not end the turn."""
    assert TURN_END not in tokenize(folder / "target.gguf", "a<turn|>b", parse_special=False)


@pytest.mark.native
def test_where_thoughts_begin_and_end_can_be_read(folder: Path) -> None:
    tokens = tokenize(folder / "target.gguf", "<|channel>thought\nhm<channel|>yes<turn|>", parse_special=True)
    assert text_of(folder / "target.gguf", tokens) == "<|channel>thought\nhm<channel|>yes"


@pytest.mark.native
def test_replies_end_where_the_checkpoint_says(folder: Path) -> None:
    assert end_tokens(folder / "target.gguf") == {EOS, TURN_END, TOOL_RESPONSE}


@pytest.mark.native
@pytest.mark.parametrize("home", ["generation_config.json", "config.json"])
def test_ends_llama_cpp_does_not_know_by_name_are_named(tmp_path: Path, home: str) -> None:
    other, another = SPECIAL.index("<|think|>"), SPECIAL.index("<|image|>")
    ends: dict[str, Any] = {"eos_token_id": [EOS, TURN_END, other, another]}
    made = make_gemma4_target(tmp_path / "target", **(ends if home == "config.json" else {}))
    (made.folder / "generation_config.json").write_text(json.dumps({} if home == "config.json" else ends))
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    assert end_tokens(tmp_path / "out.gguf") >= {EOS, TURN_END, other, another}


def test_the_file_says_what_llama_cpp_asks_of_a_gemma_tokenizer(folder: Path) -> None:
    file = Reread(folder / "target.gguf")
    tokens, types = file.value("tokenizer.ggml.tokens"), file.value("tokenizer.ggml.token_type")
    assert file.value("tokenizer.ggml.model") == "gemma4"
    assert file.value("tokenizer.ggml.add_bos_token") is True
    for role in ("bos", "eos", "mask"):
        assert tokens[file.value(f"tokenizer.ggml.{role}_token_id")] == f"<{role}>"
    assert tokens[file.value("tokenizer.ggml.padding_token_id")] == "<pad>"
    assert tokens[file.value("tokenizer.ggml.unknown_token_id")] == "<unk>"
    assert (types[tokens.index("<turn|>")], types[tokens.index("<|channel>")], types[tokens.index("<0x41>")]) == (
        3,
        4,
        6,
    )
    assert file.value("tokenizer.chat_template") == CHAT_TEMPLATE


def test_a_draft_gets_the_tokenizer_and_what_must_not_be_said(folder: Path, tmp_path: Path) -> None:
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target)
    for source in (folder / "target.gguf", target.folder):
        out = tmp_path / "draft.gguf"
        list(convert_draft(draft.folder, out, target=source, output_type="BF16", overwrite=True))
        file = Reread(out)
        assert file.value("tokenizer.ggml.model") == "gemma4"
        assert file.value("tokenizer.ggml.suppress_tokens") == [IMAGE, AUDIO]
        assert file.value("tokenizer.ggml.mask_token_id") == MASK


Damage = Callable[[Path], object]


def _generation(**stated: object) -> Damage:
    return lambda folder: (folder / "generation_config.json").write_text(json.dumps(stated))


def _tokenizer(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        change(tokenizer)
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))

    return damage


DAMAGE: tuple[tuple[str, Damage, str], ...] = (
    ("suppressed beyond", _generation(suppress_tokens=[512]), "'suppress_tokens' should be"),
    ("suppressed text", _generation(suppress_tokens=["<|image|>"]), "'suppress_tokens' should be"),
    ("ends beyond", _generation(eos_token_id=[1, 99999]), "'eos_token_id' should be"),
    ("too many ends", _generation(eos_token_id=[1, 5, 6, 8]), "more than a GGUF file can name"),
    ("no byte", _tokenizer(lambda t: t["model"]["vocab"].pop("<0x41>")), "no token <0x41>"),
    ("other normalizer", _tokenizer(lambda t: t.update(normalizer={"type": "NFC"})), "other rules than Gemma 4's"),
    ("prefix", _tokenizer(lambda t: t.update(normalizer={"type": "Sequence"})), "other rules than Gemma 4's"),
    ("merge of spaces", _tokenizer(lambda t: t["model"]["merges"].append(["a", " b"])), "spaces written as ▁"),
    ("merge over lines", _tokenizer(lambda t: t["model"]["merges"].append(["a", "\n"])), "across the end of a line"),
)


@pytest.mark.parametrize(("damage", "message"), [each[1:] for each in DAMAGE], ids=[each[0] for each in DAMAGE])
def test_a_tokenizer_llama_cpp_would_read_wrongly_is_refused(tmp_path: Path, damage: Damage, message: str) -> None:
    made = make_gemma4_target(tmp_path / "target")
    damage(made.folder)
    with pytest.raises(ConversionError, match=message):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
