"""Suites: ours are whole, the user's are read as they are, and what is broken is named with its line."""

import json
from collections import Counter
from pathlib import Path

import pytest

from sparkdesk.bench.suite import Prompt, choose, interleaved, read_suite, token_prompts
from sparkdesk.errors import UsageError

DOMAINS = {"code", "maths", "json", "chat", "prose", "rewriting", "translation"}
DEEPSPEC = ("aime25", "alpaca", "arena-hard-v2", "gsm8k", "humaneval", "livecodebench", "math500", "mbpp", "mt-bench")


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def test_our_suite_has_eight_prompts_of_each_domain() -> None:
    prompts = read_suite("default")
    assert Counter(prompt.domain for prompt in prompts) == dict.fromkeys(DOMAINS, 8)
    assert len({prompt.id for prompt in prompts}) == len({prompt.text for prompt in prompts}) == 56


@pytest.mark.parametrize("domain", ["rewriting", "translation"])
def test_what_is_to_be_rewritten_comes_with_the_prompt(domain: str) -> None:
    """Tokens drafted out of the context need something to quote."""
    assert all(len(prompt.text) > 250 for prompt in read_suite("default") if prompt.domain == domain)


def test_the_tiny_suite_has_several_prompts_of_several_domains() -> None:
    counts = Counter(prompt.domain for prompt in read_suite("tiny"))
    assert len(counts) >= 6 and min(counts.values()) >= 3


def test_a_folder_of_deepspec_files_is_read_with_the_files_as_domains(tmp_path: Path) -> None:
    for name in DEEPSPEC:
        write(tmp_path / f"{name}.jsonl", {"turns": [f"{name} one", "and then?"], "category": 7}, {"prompt": "two"})
    (tmp_path / "README.md").write_text("not a suite")
    prompts = read_suite(str(tmp_path))
    assert [prompt.domain for prompt in prompts] == [name for name in DEEPSPEC for _ in range(2)]
    assert prompts[0] == Prompt("aime25-1", "aime25", "aime25 one", later_turns=1)


def test_a_file_may_name_ids_and_domains_and_have_blank_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"id": "a", "domain": "law", "prompt": "One?"}, "", {"prompt": "Two?"})
    assert read_suite(str(path)) == (Prompt("a", "law", "One?"), Prompt("own-3", "own", "Two?"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ("{}", 'neither "prompt"'),
        ('{"prompt": 3}', 'neither "prompt"'),
        ('{"turns": []}', 'neither "prompt"'),
        ('{"turns": ["a", 3]}', 'neither "prompt"'),
        ('{"prompt": "  "}', "its prompt is empty"),
    ],
)
def test_a_broken_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"prompt": "fine"}, line)
    with pytest.raises(UsageError) as caught:
        read_suite(str(path))
    assert caught.value.message == f"{path}, line 2: {caught.value.message.partition('line 2: ')[2]}"
    assert said in caught.value.message and caught.value.message.endswith(".")


def test_bytes_that_are_no_text_are_named_too(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_bytes(b'{"prompt": "\xff"}\n')
    with pytest.raises(UsageError, match="line 1: it is not JSON"):
        read_suite(str(tmp_path / "own.jsonl"))


def test_nothing_to_ask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no prompt"):
        read_suite(str(write(tmp_path / "empty.jsonl")))
    with pytest.raises(UsageError, match="holds no prompt"):
        read_suite(str(tmp_path))
    (tmp_path / "empty.jsonl").unlink()
    with pytest.raises(UsageError, match=r"holds no \.jsonl file"):
        read_suite(str(tmp_path))
    with pytest.raises(UsageError, match="There is no suite nothing"):
        read_suite("nothing")


def test_choosing_keeps_to_domains_and_limits() -> None:
    prompts = [Prompt(f"{domain}{i}", domain, "x") for domain in "ab" for i in range(3)]
    assert [prompt.id for prompt in choose(prompts, per_domain=2)] == ["a0", "a1", "b0", "b1"]
    assert [prompt.id for prompt in choose(prompts, domains=("b",), per_domain=1)] == ["b0"]
    with pytest.raises(UsageError, match="no domain c"):
        choose(prompts, domains=("c",))


def test_domains_take_turns() -> None:
    prompts = [Prompt("a0", "a", "x"), Prompt("a1", "a", "x"), Prompt("a2", "a", "x"), Prompt("b0", "b", "x")]
    assert [prompt.id for prompt in interleaved(prompts)] == ["a0", "b0", "a1", "a2"]


def test_token_prompts_are_a_domain_of_their_own() -> None:
    assert token_prompts([(1, 2), (3,)])[1] == Prompt("tokens-2", "tokens", "", (3,))
