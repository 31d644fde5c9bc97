"""A hub that means harm, or is merely broken: every answer of it ends in a sentence, inside the caches, and in time."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.hostile_hub import Reply, parsed
from tests.cli.command_line import ROOT
from tests.hub.fixtures import GGUF
from tests.hub.pulling import Puller
from tests.hub.server import Fault, Hub, Model

NAME = "Maker/Small-GGUF"
CASES = 500


@pytest.mark.slow
def test_five_hundred_hostile_answers_find_nothing() -> None:
    command = (sys.executable, "-m", "tests.attack.fuzz_hub", "--cases", str(CASES), "--minutes", "9")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert f"{CASES} cases" in done.stdout and re.search(r"0: \d\d", done.stdout), "some must come through"


def spoil_info(hub: Hub, **changed: object) -> None:
    """Answer about the repository with these values instead."""

    def spoilt(path: str, whole: bytes) -> list[bytes]:
        if "/api/models/" not in path:
            return [whole]
        reply = parsed(whole)
        return [reply.with_body(json.dumps({**json.loads(reply.body), **changed}).encode()).encoded()]

    hub.spoil = spoilt


def outside(puller: Puller) -> set[str]:
    return {str(path) for path in puller.home.parent.rglob("*") if puller.cache not in path.parents}


@pytest.mark.parametrize(
    "changed",
    [
        {"sha": "../../../../owned"},
        {"sha": "/tmp/owned-by-the-hub"},
        {"sha": "main"},
        {"sha": 7},
        {"id": "../../owned/x"},
        {"id": "a--b/c"},
        {"id": ["x"]},
        {"id": None},
        {"siblings": [{"rfilename": "/tmp/owned.gguf", "size": 5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "a/../../../x.gguf", "size": 5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x\x00.gguf", "size": 5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "\ud800.gguf", "size": 5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x" * 300 + ".gguf", "size": 5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x.gguf", "size": 5, "blobId": "../../owned"}]},
        {"siblings": [{"rfilename": "x.gguf", "size": "5", "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x.gguf", "size": [5], "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x.gguf", "size": -5, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x.gguf", "size": 10**40, "blobId": "0" * 40}]},
        {"siblings": [{"rfilename": "x.gguf", "size": 5, "lfs": {"sha256": "../../owned", "size": 5}}]},
        {"siblings": {"rfilename": "x.gguf"}},
    ],
    ids=lambda changed: json.dumps(changed)[:60],
)
def test_what_would_become_a_path_is_refused_in_a_sentence(
    changed: dict[str, object], puller: Puller, hub: Hub, model: Model
) -> None:  # fmt: skip
    spoil_info(hub, **changed)
    before = outside(puller)
    done = puller.run("pull", NAME)
    assert done.returncode == 5 and "Traceback" not in done.stderr, done.stderr
    assert not hub.served and outside(puller) - {str(puller.home / "hf")} == before
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.stderr)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"id":' * 100_000, b"\xff", b"null", b'"x"', b"5"], ids=range(6))
def test_json_that_is_no_hubs_is_refused(body: bytes, puller: Puller, hub: Hub, model: Model) -> None:
    hub.spoil = lambda path, whole: [Reply(200, (), b"").with_body(body).encoded()]
    for command in (("pull", NAME), ("search", "small")):
        done = puller.run(*command)
        assert done.returncode == 5 and "does not answer like a hub" in done.stderr, done.stderr


def test_a_search_leaves_out_what_makes_no_sense(puller: Puller, hub: Hub) -> None:
    rows = [
        {"id": 5},
        {"id": "\x1b]0;owned\x07/x", "gguf": {"architecture": "qwen3"}},
        {"id": "Maker/Good-GGUF", "gguf": {"architecture": "qwen3"}, "downloads": 3},
        {"id": "Maker/Bad-GGUF", "gguf": {"architecture": "qwen3"}, "downloads": "many"},
        [],
    ]
    hub.spoil = lambda path, whole: [Reply(200, (), b"").with_body(json.dumps(rows).encode()).encoded()]
    done = puller.run("search", "good")
    assert done.returncode == 0 and "Maker/Good-GGUF" in done.stdout
    assert "Bad" not in done.stdout and "\x1b" not in done.stdout


@pytest.mark.parametrize("given", ["²", "-1", "soon", "9" * 400, "Wed, 99 Foo 20x6"])
def test_a_pause_that_is_no_number_is_not_one(given: str, puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail("api", Fault(status=429, headers={"Retry-After": given.encode().decode("latin-1")}))
    assert puller.run("pull", NAME).returncode == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory in /proc")
def test_a_packed_bomb_is_not_unpacked(puller: Puller, hub: Hub, model: Model) -> None:
    bomb = Reply(200, (("Content-Encoding", "gzip"),), b"").with_body(gzip.compress(b" " * (800 << 20), 1)).encoded()
    hub.spoil = lambda path, whole: [bomb]
    script = "import re, sys; from sparkdesk.__main__ import main; code = main(['pull', sys.argv[1]]); "
    script += "print(code, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    done = subprocess.run(
        (sys.executable, "-c", script, NAME), capture_output=True, text=True, env=puller.environment(), cwd=ROOT,
        timeout=60, check=False,
    )  # fmt: skip
    code, megabytes = map(int, done.stdout.split())
    assert code == 5 and "too long" in done.stderr and megabytes < 300


@pytest.mark.slow
def test_a_login_page_instead_of_a_file_is_asked_for_a_few_times(
    puller: Puller, hub: Hub, model: Model
) -> None:  # fmt: skip
    """Before: 1,375 requests in 90 s. Three tries are enough to see that they become slower."""
    asked: list[str] = []

    def spoilt(path: str, whole: bytes) -> list[bytes]:
        if "/resolve/" not in path:
            return [whole]
        asked.append(path)
        return [Reply(200, (("Content-Type", "text/html"),), b"").with_body(b"<html>Log in</html>").encoded()]

    hub.spoil = spoilt
    done = puller.run("pull", NAME)
    assert done.returncode == 5 and "login page" in done.stderr, done.stderr
    assert len(asked) == 6 and "Trying again in 8 s" in done.stderr
    assert not puller.partial(model, GGUF).exists()


def test_a_body_that_never_ends_ends_at_the_announced_size(
    puller: Puller, hub: Hub, model: Model
) -> None:  # fmt: skip
    def spoilt(path: str, whole: bytes):  # type: ignore[no-untyped-def]
        reply = parsed(whole)
        if "/-/" not in path:
            yield whole
            return
        yield Reply(200, (), reply.body).encoded()
        while True:
            yield b"more" * 10_000

    hub.spoil = spoilt
    done = puller.run("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


def test_a_refused_range_begins_again(puller: Puller, hub: Hub, model: Model) -> None:
    """Before: exit code 5, each time, for ever."""
    partial = puller.partial(model, GGUF)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(model.files[GGUF][:100_000])
    hub.fail(GGUF, Fault(status=416))
    done = puller.run("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


@pytest.mark.slow
def test_an_answer_that_drips_has_a_deadline(puller: Puller, hub: Hub, model: Model) -> None:
    import time

    def spoilt(path: str, whole: bytes):  # type: ignore[no-untyped-def]
        if "/api/models/" not in path:
            yield whole
            return
        for at in range(len(whole)):
            yield whole[at : at + 1]
            time.sleep(0.5)

    hub.spoil = spoilt
    began_s = time.monotonic()
    done = puller.run("pull", NAME)
    assert done.returncode == 5 and "cannot be reached" in done.stderr
    assert time.monotonic() - began_s < 20


def test_links_do_not_lead_a_download_out_of_the_cache(puller: Puller, hub: Hub, model: Model) -> None:
    mine, elsewhere = puller.home / "mine.txt", puller.home / "elsewhere"
    mine.write_text("mine")
    elsewhere.mkdir()
    partial = puller.partial(model, GGUF)
    partial.parent.mkdir(parents=True)
    partial.symlink_to(mine)
    assert puller.run("pull", NAME).returncode == 0
    assert mine.read_text() == "mine" and puller.place(model, GGUF).read_bytes() == model.files[GGUF]

    other = hub.add("Maker/Other-GGUF", {"sub/Other-Q4_K_M.gguf": b"o" * 9000})
    snapshot = puller.place(other, "sub/Other-Q4_K_M.gguf").parents[1]
    snapshot.mkdir(parents=True)
    os.symlink(elsewhere, snapshot / "sub")
    done = puller.run("pull", other.name)
    assert done.returncode == 5 and "leads out of" in done.stderr
    assert not list(elsewhere.iterdir())


def test_a_revision_on_the_disk_is_not_believed_either(puller: Puller, model: Model) -> None:
    stranger = puller.home / "stranger"
    stranger.mkdir()
    (stranger / "Small-Q4_K_M.gguf").write_bytes(b"GGUF")
    newest = puller.place(model, GGUF).parents[2] / "refs" / "main"
    newest.parent.mkdir(parents=True)
    newest.write_text(os.path.relpath(stranger, puller.place(model, GGUF).parents[1]))
    done = puller.run("pull", NAME, HF_HUB_OFFLINE="1")
    assert done.returncode == 5 and not done.stdout


@pytest.mark.parametrize("variable", ["HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"])
def test_a_variable_that_is_no_number_is_a_sentence(variable: str, puller: Puller, model: Model) -> None:
    done = puller.run("pull", NAME, **{variable: "soon"})
    assert done.returncode == 2 and "HF_" in done.stderr


def test_nothing_the_hub_says_reaches_the_disk_of_a_name_that_was_not_asked(tmp_path: Path) -> None:
    from sparkdesk.hub_layout import is_file_path, is_repository, is_revision, repository_folder

    for name in ("..", "../x", "a/..", "a/b/c", "a--b", "/a", "a/", ".hidden/x", "a\n/b", "á/b", "", "a/b\n", "a" * 97):
        assert not is_repository(name), name
        with pytest.raises(ValueError):
            repository_folder(tmp_path, name)
    for path in ("", ".", "a/./b", "a//b", "/a", "a/", "a\n", "\x7f", "\x85", "x" * 256, "é" * 128, "C:a", "a\\b"):
        assert not is_file_path(path), path
    assert is_file_path("Q8_0/größer Modell (1).gguf") and is_repository("Qwen/Qwen3-8B") and is_repository("gpt2")
    assert not is_revision("main") and not is_revision("0" * 40 + "\n") and is_revision("0" * 40)
