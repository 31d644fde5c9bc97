"""What variables and options name: homes of nobody, links in circles, hosts, proxies and hubs that are none."""

import ast
import os
import sys
from pathlib import Path

import pytest

import converters
import sparkdesk
from sparkdesk.__main__ import main
from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.error_log import NAME, write_log
from sparkdesk.errors import UsageError
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.client import Hub
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.library.model_dirs import find_places, hub_cache
from sparkdesk.local_path import expanded, home_folder, real_path
from sparkdesk.remote.client import Server
from sparkdesk.server.web.serving import listen
from tests.attack.gguf_bytes import gguf, write

_NOBODY = "~nobody-of-that-name/x"
_RAISING = {"expanduser", "resolve", "home"}
"""Of pathlib: RuntimeError, where os.path has an answer."""


def test_paths_go_around_the_runtime_errors_of_pathlib() -> None:
    found = []
    for package in (sparkdesk, converters):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RAISING:
                    if "__file__" not in (given := ast.unparse(node.func.value)) and given != "os.path":
                        found.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
    assert found == []


@pytest.fixture
def circle(tmp_path: Path) -> Path:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    return tmp_path / "a"


def test_a_home_of_nobody_is_a_name_like_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert expanded(_NOBODY) == Path(_NOBODY)
    assert hub_cache({"HF_HUB_CACHE": _NOBODY}) == Path(_NOBODY)
    assert [place.folder for place in find_places(tmp_path, [_NOBODY], environment={}, home=tmp_path)] == [tmp_path]
    monkeypatch.setenv(HOME_VARIABLE, _NOBODY)
    for command in (("paths",), ("list",), ("history", "list")):
        assert main(command) == 0


def test_a_user_without_a_home_is_at_home_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it does for an unknown user without HOME
    assert home_folder() == Path("/")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_in_circles_are_paths(circle: Path, tmp_path: Path) -> None:
    assert real_path(circle).parent == real_path(tmp_path)
    cache = HubCache(tmp_path)
    repository, file = Repository("a/b", "0" * 40, ()), HubFile("m.gguf", 1, "0" * 64)
    place = cache.place(repository, file)
    place.parent.mkdir(parents=True)
    place.symlink_to(place.name)
    assert not cache.has(repository, file)
    assert find_places(circle, environment={}, home=tmp_path) == ()


@pytest.mark.parametrize("host", ["a" * 100, "a..b", ".", "ü" * 80, "1" * 5000, "x\x9by", "\ud800"], ids=ascii)
def test_a_host_that_is_none_is_a_usage_error(host: str) -> None:
    with pytest.raises(UsageError):
        listen(host, 0)


@pytest.mark.parametrize(
    "address", ["http://x:-1", "http://x:99999", "http://x:²", "ftp://x", "²", "http://[", "http:///"]
)
def test_a_hub_that_is_no_address_is_a_usage_error(address: str) -> None:
    with pytest.raises(UsageError):
        Hub(address)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALL_PROXY", "socks9://x"), ("HTTPS_PROXY", "²://["), ("SSL_CERT_FILE", "/dev/zero"), ("SSL_CERT_FILE", "PIPE")],
)
def test_proxies_and_certificates_that_cannot_be_used(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Certificates of /dev/zero took 10 GB, those of a pipe for ever."""
    if value == "PIPE":
        os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv(name, value.replace("PIPE", str(tmp_path / "pipe")))
    for make in (lambda: Hub("http://127.0.0.1:9"), lambda: Server("http://127.0.0.1:9")):
        with pytest.raises(UsageError, match="proxies or certificates"):
            make()


@pytest.mark.parametrize("name", ["HF_TOKEN_PATH", "HF_STORED_TOKENS_PATH"])
def test_a_token_without_an_end_is_not_read(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token, large = tmp_path / "token", tmp_path / "large"
    os.mkfifo(token)
    with large.open("wb") as file:
        file.truncate(3 << 30)
    for path in (token, large, Path("/dev/zero"), tmp_path):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", str(path))
        with pytest.raises(UsageError, match="token"):
            Hub("http://127.0.0.1:9")


def test_a_log_that_is_a_pipe_or_a_link_is_not_written(tmp_path: Path) -> None:
    """The report of a defect waited for ever for somebody to read the pipe."""
    (tmp_path / "other").write_text("of somebody else")
    for make in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "other")):
        make(tmp_path / NAME)
        with pytest.raises(OSError):
            write_log(ValueError(), tmp_path)
        (tmp_path / NAME).unlink()
    assert (tmp_path / "other").read_text() == "of somebody else"


def test_tables_are_harmless_in_a_pipe_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`list | less -R` shows what a pipe is given."""
    home = tmp_path / "h\x1b[31m\u202e"
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (home / "data" / "models").mkdir(parents=True)
    for name in ("a\x1b]52;c;eA==\x07.gguf", "b\x9b2J.gguf"):
        write(home / "data" / "models" / name, gguf())
    (home / "data" / "models" / ".c\x1b[2J.gguf.12345678.part").write_bytes(b"x")
    for command in (("list",), ("doctor",), ("history", "list")):
        main(command)
        assert all(each.isprintable() or each == "\n" for each in capsys.readouterr().out)
