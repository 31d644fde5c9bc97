"""A template that came with a download cannot take the machine, and what it does is told in a sentence."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.chat_format.template_process import TemplateFailed, TemplateProcess
from tests.chat_format.fuzz_templates import KEPT_SEEDS, MESSAGES, largest_child_bytes
from tests.chat_format.hostile_templates import BOMBS, made_up

CONTEXT = {"messages": MESSAGES, "bos_token": "<s>"}
HARMLESS = ("word wrap", "batches", "a group")
"""They come to an end within the bounds."""


@pytest.fixture(scope="module")
def process() -> Iterator[TemplateProcess]:
    process = TemplateProcess(cpu_s=0.5)
    yield process
    process.close()


@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_a_bomb_is_ended_and_the_next_conversation_is_rendered(process: TemplateProcess, kind: str) -> None:
    """Nested loops ran for 45 s, a doubling string took 3 GB, both in the desk's own process."""
    begun = time.monotonic()
    try:
        process.render(BOMBS[kind], CONTEXT)
        assert kind in HARMLESS
    except TemplateFailed as failed:
        assert "\n" not in str(failed) and len(str(failed)) < 700
    assert time.monotonic() - begun < 15
    assert process.render("{{ messages[0].content }}", CONTEXT) == "Hello"


@pytest.mark.parametrize("seed", KEPT_SEEDS)
def test_made_up_templates_end(process: TemplateProcess, seed: int) -> None:
    try:
        process.render(made_up(seed), CONTEXT)
    except TemplateFailed as failed:
        assert str(failed)


def test_no_process_became_large(process: TemplateProcess) -> None:
    process.close()
    assert largest_child_bytes() < 1_500_000_000


def test_what_it_writes_is_bounded_by_the_conversation(process: TemplateProcess) -> None:
    repeated = "{% for i in range(5) %}{{ messages[0].content }}{% endfor %}"
    long = {"messages": [{"content": "x" * 3_000_000}]}
    assert len(process.render(repeated, long)) == 15_000_000
    with pytest.raises(TemplateFailed, match="writes more than"):
        process.render("{% for i in range(99999) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}", CONTEXT)


def test_a_process_that_was_killed_is_started_again(process: TemplateProcess) -> None:
    process.render("x", CONTEXT)
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait(5)
    assert process.render("y", CONTEXT) == "y"


def test_threads_get_their_own_answers(process: TemplateProcess) -> None:
    found: list[tuple[str, str]] = []

    def ask(word: str) -> None:
        for _ in range(20):
            found.append((word, process.render("{{ word }}", {"word": word})))

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 60 and all(asked == answered for asked, answered in found)


def test_it_imports_nothing_from_the_working_folder_and_knows_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jinja2.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "secret")
    process = TemplateProcess()
    try:
        assert process.render("{{ 1 + 1 }}", {}) == "2"
        assert process._process is not None
        environment = Path(f"/proc/{process._process.pid}/environ")
        assert not environment.exists() or b"secret" not in environment.read_bytes()
    finally:
        process.close()
