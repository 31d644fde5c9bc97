"""What is wrong on the command line is said in one sentence, before anything heavy happens."""

import re

import pytest

from sparkdesk import __version__
from sparkdesk.cli.app import COMMANDS, run

FILES = ("--target", "no-such.gguf")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"sparkdesk {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: sparkdesk {command}")
    assert COMMANDS[command][1:] in " ".join(shown.split())


@pytest.mark.parametrize("part", ["target", "draft"])
def test_converting_has_help_that_names_the_types(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", part, "--help"]) == 0
    assert "Q4_K_M" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dance",), "invalid choice: 'dance'"),
        (("paths", "--loud"), "Unrecognized arguments: --loud"),
        (("chat",), "Name a pair, or give --target"),
        (("chat", "a-pair", *FILES), "Leave out --target"),
        (("chat", *FILES, "--ctx", "-1"), "-1 is below 0"),
        (("chat", *FILES, "--threads", "two"), "'two' is not a whole number"),
        (("chat", *FILES, "--temperature", "-0.1"), "-0.1 is not 0 or more"),
        (("chat", *FILES, "--temperature", "nan"), "nan is not 0 or more"),
        (("chat", *FILES, "--top-p", "1.5"), "1.5 is not from 0 to 1"),
        (("chat", *FILES, "--draft-length", "0"), "0 is below 1"),
        (("chat", *FILES, "--draft-length", "some"), "'auto' leaves the choice"),
        (("chat", *FILES, "--gpu-layers", "-2"), "-2 is below 0"),
        (("chat", *FILES, "--prompt-tokens", "1,x"), "not a list of token numbers"),
        (("chat", *FILES, "--prompt-tokens", "1,-5"), "token -5 is below 0"),
        (("chat", *FILES, "--prompt", "a", "--prompt-tokens", "1"), "not allowed with"),
        (("chat", *FILES, "--seed", "-3"), "-3 is below 0"),
        (("convert", "target", "a", "b", "--type", "Q9"), "Q9 is not a type"),
        (("convert", "draft", "a", "b"), "required: --target"),
        (("demo", "--prompt", "  "), "The prompt is empty"),
        (("demo", "--json"), "--json needs a prompt"),
        (("--draft", "d.gguf"), "A draft alone cannot chat"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.splitlines()) <= 2 and re.match(r"sparkdesk: \S.*\.\n", shown.err)


@pytest.mark.parametrize("role", ["--target", "--draft"])
def test_a_missing_file_is_named(role: str, tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    present = __file__
    arguments = ["chat", "--target", present, "--prompt", "a", role, "/nowhere/x.gguf"]
    assert run(arguments) == 4
    assert "/nowhere/x.gguf is not a file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("demo",)])
def test_the_screen_needs_a_terminal(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "needs a terminal" in capsys.readouterr().err
