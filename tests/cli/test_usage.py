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
        (("dance",), "'dance' is not a command"),
        (("paths", "--loud"), "has no option --loud"),
        (("chat",), "Name a pair, or give --target"),
        (("chat", "a-pair", *FILES), "Leave out --target"),
        (("chat", *FILES, "--ctx", "-1"), "-1 is below the minimum of 0"),
        (("chat", *FILES, "--threads", "two"), "'two' is not a whole number"),
        (("chat", *FILES, "--temperature", "-0.1"), "-0.1 is not 0 or more"),
        (("chat", *FILES, "--temperature", "nan"), "nan is not 0 or more"),
        (("chat", *FILES, "--top-p", "1.5"), "1.5 is not from 0 to 1"),
        (("chat", *FILES, "--draft-length", "0"), "0 is below the minimum of 1"),
        (("chat", *FILES, "--draft-length", "some"), "'auto' leaves the choice"),
        (("chat", *FILES, "--gpu-layers", "-2"), "-2 is below the minimum of 0"),
        (("chat", *FILES, "--prompt-tokens", "1,x"), "not a list of token IDs"),
        (("chat", *FILES, "--prompt-tokens", "1,-5"), "token -5 is below 0"),
        (("chat", *FILES, "--prompt", "a", "--prompt-tokens", "1"), "not allowed with"),
        (("chat", *FILES, "--seed", "-3"), "-3 is below the minimum of 0"),
        (("convert", "target", "a", "b", "--type", "Q9"), "Q9 is not a type"),
        (("convert", "draft", "a", "b"), "required: --target"),
        (("demo", "--prompt", "  "), "The prompt is empty"),
        (("demo", "--json"), "--json needs a prompt"),
        (("--draft", "d.gguf"), "A draft cannot run without its target"),
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


@pytest.mark.parametrize(
    ("arguments", "said", "meant"),
    [
        (("caht",), "'caht' is not a command", "Did you mean chat?"),
        (("bulid", "qwen3-8b"), "'bulid' is not a command", "Did you mean build?"),
        (("bench", "rnu"), "'rnu' is not a subcommand of sparkdesk bench", "Did you mean run?"),
        (("history", "serch", "x"), "'serch' is not a subcommand", "Did you mean search?"),
        (("chat", *FILES, "--temprature", "0.2"), "has no option --temprature", "Did you mean --temperature?"),
        (("chat", *FILES, "--promt=hello"), "has no option --promt", "Did you mean --prompt?"),
        (("bench", "run", "--jsn"), "sparkdesk bench run has no option --jsn", "Did you mean --json?"),
        (("--traget", "x.gguf"), "sparkdesk has no option --traget", "Did you mean --target?"),
        (("xyzzy",), "'xyzzy' is not a command", "There are demo, chat"),
        (("paths", "--zzzzzz"), "has no option --zzzzzz", "See sparkdesk paths --help."),
    ],
)
def test_a_typo_is_told_what_was_probably_meant(
    arguments: tuple[str, ...], said: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr().err
    assert said in shown and meant in shown and "choose from" not in shown


@pytest.mark.parametrize("name", ["build", "chat", "paths"])
def test_the_value_of_an_option_is_not_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--pair build chat x` once parsed the arguments of `build`."""
    assert run(["--pair", name]) != 0, "there is no such pair"
    assert f"no pair called {name}" in capsys.readouterr().err
    assert run([f"--pair={name}", "paths"]) == 2
    assert "--pair before paths has no effect" in capsys.readouterr().err


def test_what_stands_before_a_command_is_not_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--target", "some.gguf", "chat", "x"]) == 2
    assert "--target before chat has no effect" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["run", "curve", "card"])
def test_bench_takes_the_name_of_a_pair(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", part, "no-such-pair"]) != 0
    assert "no pair called no-such-pair" in capsys.readouterr().err


def test_a_race_takes_the_name_of_a_pair(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "race", "Hello", "--pair", "no-such-pair"]) != 0
    assert "no pair called no-such-pair" in capsys.readouterr().err
