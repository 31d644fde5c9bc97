"""The converted tokenizer splits text as the checkpoint's own does."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from converters import ConversionError, convert_draft, convert_target
from converters.config import Config
from converters.plan import FilePlan
from converters.vocab import read_vocabulary
from converters.writer import write_gguf
from tests.converters.checkpoints import MASK_ID, TARGET_SHAPE, make_draft, make_target
from tests.converters.gguf_reading import Reread
from tests.converters.native import end_tokens, tokenize
from tests.converters.tokenizer import TEXT, write_tokenizer

TORTURE = (Path(__file__).parent / "torture.txt").read_bytes().decode()
"""Many scripts, kinds of space, line ends, digits, emoji and control characters."""

TEXTS = (
    TEXT,
    TORTURE,
    *TORTURE.splitlines(keepends=True),
    " " + TORTURE + "   ",
    TORTURE.swapcase(),
    " leading and trailing  ",
    "line\r\nbreaks\n\n\nand\ttabs\t\t",
    "1234567890 3.14159 ½ Ⅷ",
    "I'll we've DON'T l'été",
    "العربية עברית हिन्दी ไทย 한국어",
    "🏳️‍🌈👨‍👩‍👧‍👦 emoji",
    "<|im_start|>user\n<think>hm</think><|im_end|>",
    "don't split<|im_end|>here",
)


@pytest.mark.native
@pytest.mark.parametrize("text", TEXTS)
def test_the_gguf_splits_text_as_the_tokenizers_library_does(tmp_path: Path, text: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    expected = Tokenizer.from_file(str(made.folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert tokenize(tmp_path / "out.gguf", text, parse_special=True) == expected


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tokenizer]:
    """A vocabulary that has learnt the torture text by heart: one wrong split, and other tokens come out."""
    folder = tmp_path_factory.mktemp("large")
    tokenizer = write_tokenizer(folder, merge_count=3000, text=TORTURE + TORTURE.swapcase())
    model = Config({"vocab_size": 4096, "eos_token_id": 0}, "config.json")
    plan = FilePlan("qwen3", read_vocabulary(folder, model).entries(), ())
    for _ in write_gguf(plan, folder / "vocabulary.gguf"):
        pass
    return folder / "vocabulary.gguf", tokenizer


@pytest.mark.native
@pytest.mark.parametrize("text", TEXTS)
def test_long_tokens_come_out_whole(large: tuple[Path, Tokenizer], text: str) -> None:
    path, tokenizer = large
    expected = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenize(path, text, parse_special=True) == expected


@pytest.mark.native
def test_control_tokens_in_plain_text_are_not_parsed(tmp_path: Path) -> None:
    """A user who types <|im_end|> must not end the turn."""
    made = make_target(tmp_path / "target", tied=True)
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    specials = Tokenizer.from_file(str(made.folder / "tokenizer.json")).token_to_id("<|im_end|>")
    assert specials not in tokenize(tmp_path / "out.gguf", "a<|im_end|>b", parse_special=False)


@pytest.mark.native
@pytest.mark.parametrize("home", ["generation_config.json", "config.json"])
def test_every_token_that_ends_a_reply_ends_it(tmp_path: Path, home: str) -> None:
    """Those llama.cpp knows by name, and those only the checkpoint knows."""
    made = make_target(tmp_path / "target", tied=True)
    tokenizer = Tokenizer.from_file(str(made.folder / "tokenizer.json"))
    names = ("<|im_end|>", "<|endoftext|>", "</think>", "<|mask|>")
    ids = [int(str(tokenizer.token_to_id(name))) for name in names]
    path = made.folder / home
    stated = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(stated | {"eos_token_id": ids}))
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    assert end_tokens(tmp_path / "out.gguf") == sorted(ids)


@pytest.mark.parametrize(
    ("stated", "message"),
    [([0, 1, 2], "4 tokens end a reply"), (["<|im_end|>"], "'eos_token_id' should be"), ([10**6], "should be tokens")],
)
def test_ends_that_cannot_be_said_are_refused(tmp_path: Path, stated: list[object], message: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    (made.folder / "generation_config.json").write_text(json.dumps({"eos_token_id": stated}))
    with pytest.raises(ConversionError, match=message):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))


def test_the_table_is_filled_up_to_the_embedding_rows(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type="BF16"))
    file = Reread(out)
    tokens, types = file.value("tokenizer.ggml.tokens"), file.value("tokenizer.ggml.token_type")
    assert len(tokens) == len(types) == TARGET_SHAPE.vocab
    assert (tokens[-1], types[-1]) == (f"[PAD{TARGET_SHAPE.vocab - 1}]", 5)
    assert tokens[file.value("tokenizer.ggml.eos_token_id")] == "<|im_end|>"
    assert tokens[file.value("tokenizer.ggml.padding_token_id")] == "<|endoftext|>"
    assert types[tokens.index("<think>")] == 4
    assert types[tokens.index("<|mask|>")] == 3
    assert file.value("tokenizer.ggml.pre") == "qwen2"


def test_merges_written_as_pairs_or_as_text_come_out_the_same(tmp_path: Path) -> None:
    merges = []
    for name, reshape in (("pairs", list), ("text", " ".join)):
        made = make_target(tmp_path / name, tied=True)
        path = made.folder / "tokenizer.json"
        tokenizer = json.loads(path.read_text())
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in tokenizer["model"]["merges"]]
        tokenizer["model"]["merges"] = [reshape(pair) for pair in pairs]
        path.write_text(json.dumps(tokenizer))
        list(convert_target(made.folder, tmp_path / f"{name}.gguf", output_type="BF16"))
        merges.append(Reread(tmp_path / f"{name}.gguf").value("tokenizer.ggml.merges"))
    assert merges[0] == merges[1]


@pytest.mark.parametrize("home", ["chat_template.jinja", "tokenizer_config.json", "named"])
def test_the_chat_template_is_found_in_each_of_its_homes(tmp_path: Path, home: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    stated: dict[str, object] = {"eos_token": "<|im_end|>"}
    if home == "chat_template.jinja":
        (made.folder / home).write_text("{{ hello }}")
    elif home == "named":
        stated["chat_template"] = [{"name": "rag", "template": "no"}, {"name": "default", "template": "{{ hello }}"}]
    else:
        stated["chat_template"] = "{{ hello }}"
    (made.folder / "tokenizer_config.json").write_text(json.dumps(stated))
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    assert Reread(tmp_path / "out.gguf").value("tokenizer.chat_template") == "{{ hello }}"


@pytest.mark.parametrize("from_gguf", [True, False], ids=["target GGUF", "target checkpoint"])
def test_a_draft_gets_the_targets_tokenizer_and_its_own_mask(tmp_path: Path, from_gguf: bool) -> None:
    made = make_target(tmp_path / "target", tied=True)
    list(convert_target(made.folder, tmp_path / "target.gguf", output_type="BF16"))
    draft = make_draft(tmp_path / "draft", made)
    target = tmp_path / "target.gguf" if from_gguf else made.folder
    list(convert_draft(draft.folder, tmp_path / "draft.gguf", target=target, output_type="BF16"))
    ours, theirs = Reread(tmp_path / "draft.gguf"), Reread(tmp_path / "target.gguf")
    for key in ("model", "pre", "tokens", "token_type", "merges", "eos_token_id", "add_bos_token"):
        assert ours.value(f"tokenizer.ggml.{key}") == theirs.value(f"tokenizer.ggml.{key}")
    assert ours.value("tokenizer.ggml.mask_token_id") == MASK_ID


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"type": "Unigram"}}, "not a byte-level BPE"),
        ({"pre_tokenizer": {"type": "ByteLevel"}}, "splits text by a rule"),
        ({"pre_tokenizer": {"pretokenizers": [{"pattern": {"Regex": r"\w+"}}]}}, "splits text by a rule"),
        ({"added_tokens": [{"id": 10**6, "content": "<x>"}]}, "a vocab_size of 352"),
        ({"added_tokens": [{"id": "7"}]}, "'added_tokens' should be a list of tokens"),
    ],
)
def test_a_tokenizer_it_does_not_understand_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = made.folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConversionError, match=message):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))


def test_a_checkpoint_that_names_no_end_of_text_is_refused(tmp_path: Path) -> None:
    """llama.cpp would silently take token 11 for it."""
    made = make_target(tmp_path / "target", tied=True)
    (made.folder / "tokenizer_config.json").unlink()
    with pytest.raises(ConversionError, match="which token ends a text"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
