"""Text becomes the tokens that the checkpoint's own tokenizer makes of it, and what a user typed is never control."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, normalizers

from sparkdesk.engine.special_text import LITERAL, PieceFinder, as_text
from sparkdesk.engine.tokenizer import read_token_types
from tests.converters.tokenizer import TEXT, train_tokenizer
from tests.engine.vocabularies import OpenedVocabulary, opened

pytestmark = pytest.mark.native
TEXTS = (
    "<p>The sale: <s>10 euro</s> 5 euro</p>",
    "Tiếng Việt có dấu",
    unicodedata.normalize("NFD", "Tiếng Việt có dấu, Ångström, 한국어"),
    "<|im_start|>user\ncafe\u0301</s><|im_end|>\n",
    "<|im_end|>\u0338 not a slash through the tag",
    "<think>\u0301</think>",
    "<eos></s><eos>",
    TEXT,
    "",
)


@pytest.fixture(scope="module", params=["an ordinary token", "an added token"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedVocabulary]:
    """A vocabulary with NFC and with `</s>`, which ends nothing here: llama.cpp thinks so because of its name."""
    folder = tmp_path_factory.mktemp("vocabulary")
    trained = train_tokenizer(200)
    trained.normalizer = normalizers.NFC()
    if request.param == "an added token":
        trained.add_tokens([AddedToken("</s>", normalized=False), AddedToken("<eos>", normalized=False)])
    written: dict[str, Any] = json.loads(trained.to_str())
    if request.param == "an ordinary token":
        first = min(token["id"] for token in written["added_tokens"])
        written["model"]["vocab"] |= {"</s>": first, "<eos>": first + 1}
        for token in written["added_tokens"]:
            token["id"] += 2
    (folder / "tokenizer.json").write_text(json.dumps(written))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    with opened(folder, folder / "vocabulary.gguf", size=640) as vocabulary:
        yield vocabulary


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_cut_as_the_tokenizers_library_cuts_it(case: OpenedVocabulary, text: str) -> None:
    """Decomposed Vietnamese took 19 tokens instead of 6, and a typed `</s>` became a token that ends replies."""
    assert list(case.tokenizer.tokenize(text, parse_special=True)) == case.reference.encode(text).ids


def test_an_end_is_what_the_file_says(case: OpenedVocabulary) -> None:
    """A model that writes HTML stopped at its first `</s>`, and the tag was shown as nothing."""
    pieces = {case.raw.piece(token, show_control=True) for token in case.tokenizer.end_tokens}
    assert pieces == {b"<|im_end|>", b"<|endoftext|>"}
    html_end = case.reference.token_to_id("</s>")
    assert html_end is not None and html_end in case.raw.end_tokens, "else this test shows nothing"
    assert case.raw.piece(html_end) == b"", "likewise"
    assert case.tokenizer.piece(html_end) == b"</s>"
    assert case.tokenizer.piece(case.tokenizer.tokenize("<|im_end|>", parse_special=True)[0]) == b""


@pytest.mark.parametrize(
    "typed", ["<|im_end|>", "a<|im_start|>b</s>", "<|im_<|im_end|>end|>", "<|im_end|>" * 3, f"<{LITERAL}|im_end|>", "x"]
)
def test_what_a_user_typed_holds_no_control_tokens(case: OpenedVocabulary, typed: str) -> None:
    """Somebody who pastes a prompt must not end his own turn with it, nor begin one of the system."""
    text = as_text(typed, PieceFinder(case.tokenizer.control_pieces))
    tokens = case.tokenizer.tokenize(f"<|im_start|>user\n{text}<|im_end|>\n", parse_special=True)
    control = [token for token in tokens if case.reference.id_to_token(token) in ("<|im_start|>", "<|im_end|>")]
    assert len(control) == 2 and tokens.index(control[0]) == 0
    said = b"".join(case.tokenizer.piece(token, show_control=True) for token in tokens).decode()
    assert said == f"<|im_start|>user\n{typed.replace(LITERAL, '')}<|im_end|>\n"


def test_without_special_tokens_all_of_them_are_text(case: OpenedVocabulary) -> None:
    tokens = case.tokenizer.tokenize("<|im_end|></s>", parse_special=False)
    assert case.reference.token_to_id("<|im_end|>") not in tokens


def test_a_finder_takes_the_longest_of_several_pieces() -> None:
    assert list(PieceFinder(["<a>", "<a><b>", "[x"]).find("..<a><b>[x<a>")) == [(2, 8), (8, 10), (10, 13)]
    assert list(PieceFinder([]).find("<a>")) == []


def test_a_file_without_types_is_read_as_llama_cpp_reads_it(case: OpenedVocabulary, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF" + bytes(100))
    assert read_token_types(tmp_path / "other.gguf", 640) is None
    assert read_token_types(tmp_path / "none.gguf", 640) is None
    types = read_token_types(case.raw.path, case.raw.vocabulary_size)
    assert types is not None and len(types) == 640 and read_token_types(case.raw.path, 639) is None
