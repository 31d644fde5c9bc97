"""`sparkdesk serve --for PROGRAM` and `--print-systemd`: what is printed can be read by whom it is for."""

import re
import shlex
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from sparkdesk.__main__ import main
from sparkdesk.cli import serve
from sparkdesk.cli.client_settings import PROGRAMS, ServedModel

NAMES = ("Spark-Tiny", "Qwen3-8B (Q4_K_M)", 'it\'s "$HOME" \\ `x`; é')


def exported(text: str) -> Mapping[str, str]:
    """Variables, as a shell sees them before it expands anything."""
    words = [shlex.split(line) for line in text.splitlines() if line.startswith("export ")]
    return dict(word.split("=", 1) for _, word in words)


@pytest.mark.parametrize("name", NAMES)
def test_shells_read_names_as_they_are(name: str) -> None:
    served = ServedModel("http://127.0.0.1:8080", name)
    claude = exported(PROGRAMS["claude-code"](served))
    assert claude["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8080", "its client adds /v1 itself"
    assert claude["ANTHROPIC_MODEL"] == claude["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == name
    aider = PROGRAMS["aider"](served)
    assert exported(aider)["OPENAI_API_BASE"] == "http://127.0.0.1:8080/v1"
    assert shlex.split(aider.splitlines()[-1]) == ["aider", "--model", f"openai/{name}"]
    assert exported(PROGRAMS["open-webui"](served))["OPENAI_API_KEY"] == "none"


@pytest.mark.parametrize("name", NAMES)
def test_codex_reads_its_toml(name: str) -> None:
    config = tomllib.loads(PROGRAMS["codex"](ServedModel("https://box:1", name, "SPARKDESK_API_KEY")))
    provider = config["model_providers"][config["model_provider"]]
    assert config["model"] == name and provider["wire_api"] == "responses"
    assert provider["base_url"] == "https://box:1/v1" and provider["env_key"] == "SPARKDESK_API_KEY"


@pytest.mark.parametrize("name", NAMES)
def test_continue_reads_its_yaml(name: str) -> None:
    text = PROGRAMS["continue"](ServedModel("http://127.0.0.1:8080", name))
    found = re.search(r'^    model: (".*")$', text, re.MULTILINE)
    assert found and tomllib.loads(f"x = {found[1]}") == {"x": name}, "strings are the same in YAML and TOML"


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_prints_and_exits_without_loading(
    program: str, isolated_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKDESK_API_KEY", "s3cret")
    assert main(["serve", "--for", program, "--port", "9123"]) == 0
    out, err = capsys.readouterr()
    assert "127.0.0.1:9123" in out and not err
    assert "Spark-Tiny" in out or program == "open-webui", "which asks the server for its models"
    assert "SPARKDESK_API_KEY" in out and "s3cret" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "emacs"], "invalid choice: 'emacs'"),
        (["--for", "codex", "--port", "0"], "Port 0 is another one"),
        (["--for", "codex", "--print-systemd"], "print different things"),
        (["--print-systemd", "--api-key", "k"], "does not keep a key"),
        (["--tls-cert", "a"], "needs a certificate and its key"),
        (["--tls-cert", "/no/such", "--tls-key", "/no/such"], "HTTPS is not possible with /no/such"),
        (["--tls-cert", __file__, "--tls-key", __file__], "no PEM files that belong together"),
        *[
            ([f"--idle-unload={given}"], "must be a time such as")
            for given in ("x", "0", "-1m", "", "m", "nan", "1e9h")
        ],
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], said: str, isolated_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert said.lower() in capsys.readouterr().err.lower()


def test_a_unit_serves_with_the_same_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKDESK_HOME", "/a b/50%")
    text = serve.unit("My\nPair 5%", ["serve", "my pair", "--alias", 'a "b" $c % \\'], grace_s=10)
    lines = text.splitlines()
    assert "Type=notify" in lines and "Description=SparkDesk serves My Pair 5%%" in lines
    assert 'Environment="SPARKDESK_HOME=/a b/50%%"' in lines
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    assert start.endswith(r'''"-m" "sparkdesk" "serve" "my pair" "--alias" "a \"b\" $$c %% \\"''')


def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        serve.notify("READY=1")
        assert listener.recv(100) == b"READY=1"
    for nobody in (address, "relative", ""):
        monkeypatch.setenv("NOTIFY_SOCKET", nobody)
        serve.notify("READY=1")
