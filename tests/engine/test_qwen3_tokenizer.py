"""Qwen3's real tokenizer, where $SPARKDESK_TEST_QWEN3_TOKENIZER names a folder with its tokenizer.json."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.converters.tokenizer import TEXT
from tests.engine.vocabularies import OpenedVocabulary, opened

VARIABLE = "SPARKDESK_TEST_QWEN3_TOKENIZER"
TORTURE = (Path(__file__).parents[1] / "converters" / "torture.txt").read_bytes().decode()
pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no folder with Qwen3's tokenizer.json"),
]


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedVocabulary]:
    out = tmp_path_factory.mktemp("qwen3") / "vocabulary.gguf"
    with opened(Path(os.environ[VARIABLE]), out, size=151_936) as vocabulary:
        yield vocabulary


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("text", [TEXT, TORTURE, "Tiếng Việt có dấu", "<s>10 euro</s>", "<think>\u0301</think></s>"])
def test_text_is_cut_as_the_tokenizers_library_cuts_it(qwen3: OpenedVocabulary, text: str, form: str) -> None:
    text = unicodedata.normalize("NFD", text) if form == "NFD" else text
    assert list(qwen3.tokenizer.tokenize(text, parse_special=True)) == qwen3.reference.encode(text).ids


def test_decomposed_vietnamese_takes_six_tokens(qwen3: OpenedVocabulary) -> None:
    text = unicodedata.normalize("NFD", "Tiếng Việt có dấu")
    assert qwen3.tokenizer.tokenize(text, parse_special=True) == (45351, 26068, 968, 128324, 28776, 131575)
    assert len(qwen3.raw.tokenize(text, parse_special=True)) == 19, "so many without"


def test_a_typed_end_of_html_is_text(qwen3: OpenedVocabulary) -> None:
    assert qwen3.tokenizer.tokenize("</s>", parse_special=True) == (522, 82, 29)
    assert 128247 not in qwen3.tokenizer.end_tokens and {151643, 151645} <= set(qwen3.tokenizer.end_tokens)
