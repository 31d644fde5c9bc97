"""Completion scripts and the manual page know every command and every option there is."""

import shutil
import subprocess

import pytest

from sparkdesk.cli import command_tree, completion, man
from sparkdesk.cli.app import COMMANDS, run

KNOWN = list(command_tree.commands())


def printed(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(script: str, *words: str) -> list[str]:
    """What bash would offer for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    place = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}"
    asked = f"{script}\n{place}; _sparkdesk; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("sparkdesk", "ch"), ["chat"]),
        (("sparkdesk", "bench", "cur"), ["curve"]),
        (("sparkdesk", "bench", "run", "--js"), ["--json"]),
        (("sparkdesk", "chat", "pair", "--temp"), ["--temperature"]),
        (("sparkdesk", "chat", "--thin"), ["--thinking"]),
        (("sparkdesk", "chat", "--target", ""), []),
        (("sparkdesk", "--con"), ["--continue"]),
    ],
)
def test_bash_completes(words: tuple[str, ...], offered: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(printed("bash", capsys), *words) == offered


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_command_and_option_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(shell, capsys)
    assert {each.path[0] for each in KNOWN if each.path} == set(COMMANDS)
    for each in KNOWN:
        for option in each.options:
            for name in option.names:
                assert (f"-l {name[2:]} " if shell == "fish" and name.startswith("--") else name[1:]) in script
        for name in each.path:
            assert name in script


def test_a_shell_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err


def test_the_manual_has_every_command_and_option_and_no_stray_request() -> None:
    lines = list(man.page())
    text = "\n".join(lines).replace("\\-", "-")
    for each in KNOWN:
        assert " ".join(("sparkdesk", *each.path)) in text
        for option in each.options:
            assert all(f"\\fB{name}\\fR" in text for name in option.names)
            assert option.help.replace("\\", "\\e") in text
    assert {line.split()[0] for line in lines if line.startswith(".")} <= {".TH", ".SH", ".SS", ".TP", ".PP"}
    assert not any(line.startswith("'") for line in lines)
