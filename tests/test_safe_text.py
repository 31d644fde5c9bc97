"""Text from outside never moves a cursor, sets a title or turns the direction of writing."""

import io
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.safe_text import TerminalGuard, own_control, safe_line, safe_text

ATTACKS = [
    ("\x1b[2J", "␛[2J"),
    ("\x1b]52;c;aGFja2Vk\x1b\\", "␛]52;c;aGFja2Vk␛\\"),
    ("\x1b]0;owned\x07", "␛]0;owned␇"),
    ("\x9b31m", "<U+009B>31m"),
    ("gpj.\u202egnp", "gpj.<U+202E>gnp"),
    ("a\u2066b\u2069", "a<U+2066>b<U+2069>"),
    ("a\u200bb\ufeffc\u00add", "a<U+200B>b<U+FEFF>c<U+00AD>d"),
    ("pay\u200dpal", "pay<U+200D>pal"),
    ("a\x7fb\x00c\rd", "a␡b␀c␍d"),
    ("a\u2028b", "a<U+2028>b"),
    ("a\ud800b", "a<U+D800>b"),
    ("a\U000e0041b", "a<U+E0041>b"),
]
HARMLESS = [
    "Qwen3-8B",
    "größer",
    "👩\u200d💻",
    "می\u200cخواهم",  # noqa: RUF001  (Persian, written with a joiner)
    "क\u094d\u200dष",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "❤️",
    "中文",
    "שלום",
]


@pytest.mark.parametrize(("text", "shown"), ATTACKS)
def test_control_characters_become_symbols(text: str, shown: str) -> None:
    assert safe_text(text) == shown
    assert safe_line(text) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text
    assert safe_line(text) == text


def test_lines_and_tabs_stay_in_text_and_are_shown_in_a_line() -> None:
    assert safe_text("a\tb\r\nc\n") == "a\tb\nc\n"
    assert safe_line("a\tb\nc") == "a␉b␊c"


@given(st.text())
def test_nothing_hidden_is_left_and_once_is_enough(text: str) -> None:
    for shown, allowed in ((safe_text(text), "\t\n"), (safe_line(text), "")):
        for before, each in zip(" " + shown, shown, strict=False):
            category = unicodedata.category(each)
            assert category not in ("Cc", "Cs", "Zl", "Zp") or each in allowed
            assert each not in "\u200c\u200d" or not before.isascii()
        shown.encode("utf-8")
    assert safe_text(safe_text(text)) == safe_text(text)


def test_every_format_character_is_shown_unless_it_is_visible_or_shapes_letters() -> None:
    kept = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf" and chr(code) in safe_text("a" + chr(code))
    ]
    assert [f"{ord(each):X}" for each in kept] == [
        *("600", "601", "602", "603", "604", "605", "6DD", "70F", "890", "891", "8E2", "110BD", "110CD"),
    ]  # numbers and verses are written in these: they are seen


def test_the_guard_lets_only_our_own_controls_through() -> None:
    kept = io.StringIO()
    guard = TerminalGuard(kept)
    name = "model \x1b[31m \ufdd0 \x1b[0m"
    print(guard.own("\x1b[1m") + name + guard.own("\x1b[0m"), file=guard)
    assert kept.getvalue() == "\x1b[1mmodel ␛[31m <U+FDD0> ␛[0m\x1b[0m\n"
    assert own_control(io.StringIO(), "\r") == "\r"


def test_a_terminal_never_gets_what_an_argument_says(tmp_path: Path) -> None:
    """Before, `sparkdesk list $'\\e]0;owned\\a'` set the window's title."""
    bad = "no\x1b]0;owned\x07such\u202eword"
    master, slave = pty.openpty()
    command = (sys.executable, "-m", "sparkdesk", "pull", f"./{bad}")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, timeout=60, check=False,
        env={**os.environ, "SPARKDESK_HOME": str(tmp_path)},
    )  # fmt: skip
    os.close(slave)
    said = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 2
    assert "no␛]0;owned␇such<U+202E>word" in said
    assert "\x1b" not in said
