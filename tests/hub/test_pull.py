"""A model from the hub onto the disk: once, whole, verified, and in the cache other programs know."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.fixtures import GGUF
from tests.hub.pulling import Puller
from tests.hub.server import TOKEN, Fault, Hub, Model

AT_ONCE = {"Retry-After": "0"}
NAME = "Maker/Small-GGUF"


def test_the_path_is_the_answer_and_the_bytes_are_the_hubs(puller: Puller, model: Model) -> None:
    done = puller.run("pull", NAME)
    assert (done.returncode, done.stdout) == (0, f"{puller.place(model, GGUF)}\n"), done.stderr
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


def test_nothing_is_downloaded_twice(puller: Puller, hub: Hub, model: Model) -> None:
    puller.run("pull", NAME)
    assert puller.run("pull", NAME).returncode == 0
    assert hub.ranges(GGUF) == [(0, len(model.files[GGUF]))]


def test_json_names_what_was_pulled(puller: Puller, model: Model) -> None:
    (pulled,) = json.loads(puller.run("pull", NAME, "--json").stdout)["models"]
    assert pulled == {
        "role": "model",
        "kind": "gguf",
        "path": str(puller.place(model, GGUF)),
        "repository": NAME,
        "revision": model.revision,
        "quantization": "Q4_K_M",
        "size_bytes": len(model.files[GGUF]),
    }


def test_a_draft_in_the_same_repository_is_told_and_left_there(puller: Puller, hub: Hub, model: Model) -> None:
    files = {"M-Q4_K_M.gguf": model.files[GGUF], "dspark-M.gguf": b"GGUF" * 9}
    both = hub.add("Maker/Both-GGUF", files)
    done = puller.run("pull", both.name)
    assert done.returncode == 0 and "dspark-M.gguf" in done.stderr and "--draft Maker/Both-GGUF" in done.stderr
    assert hub.sent_bytes("dspark-M.gguf") == 0
    assert "also holds" not in puller.run("pull", NAME).stderr


def test_the_real_client_finds_it_in_its_cache(puller: Puller, model: Model) -> None:
    """Original files stay where hf and others look, so that nobody downloads them again."""
    puller.run("pull", NAME)
    script = f"import huggingface_hub; print(huggingface_hub.hf_hub_download({NAME!r}, {GGUF!r}))"
    environment = puller.environment(HF_HUB_OFFLINE="1")
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == str(puller.place(model, GGUF))


def test_the_real_clients_download_is_not_repeated(puller: Puller, hub: Hub, model: Model) -> None:
    script = f"import huggingface_hub; huggingface_hub.hf_hub_download({NAME!r}, {GGUF!r})"
    subprocess.run((sys.executable, "-c", script), capture_output=True, check=True, env=puller.environment())
    before = hub.sent_bytes(GGUF)
    assert puller.run("pull", NAME).stdout == f"{puller.place(model, GGUF)}\n"
    assert hub.sent_bytes(GGUF) == before == len(model.files[GGUF])


def test_the_same_bytes_in_another_repository_are_not_fetched_again(puller: Puller, hub: Hub, model: Model) -> None:
    other = hub.add("Other/Copy-GGUF", {"Copy-Q4_K_M.gguf": model.files[GGUF]})
    puller.run("pull", NAME)
    assert puller.run("pull", other.name).returncode == 0
    assert hub.sent_bytes("Copy-Q4_K_M.gguf") == 0
    first, second = puller.blob(model, GGUF), puller.blob(other, "Copy-Q4_K_M.gguf")
    assert first.samefile(second)


def test_a_cut_connection_goes_on_where_it_was_cut(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(cut_after=150_000), Fault(cut_after=100_000))
    assert puller.run("pull", NAME).returncode == 0
    assert hub.ranges(GGUF) == [(0, 150_000), (150_000, 250_000), (250_000, 400_000)]
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


def test_a_killed_download_goes_on_where_it_was_killed(puller: Puller, hub: Hub, model: Model) -> None:
    sent = 12 * 16 * 1024
    hub.fail(GGUF, Fault(hold_after=sent))
    with puller.start("pull", NAME) as process:
        assert hub.held.wait(60)
        # Up to one buffer of what was sent is not on the disk yet: the tail that may be fetched twice.
        while _size(puller.partial(model, GGUF)) < sent - 16 * 1024:
            assert process.poll() is None
        process.kill()
    hub.go_on.set()
    kept = _size(puller.partial(model, GGUF))
    assert puller.run("pull", NAME).returncode == 0
    assert hub.ranges(GGUF)[1:] == [(kept, len(model.files[GGUF]))]
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]
    assert not puller.partial(model, GGUF).exists()


def test_ctrl_c_keeps_what_has_come_and_says_so(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(hold_after=160 * 1024))
    with puller.start("pull", NAME) as process:
        assert hub.held.wait(60)
        while _size(puller.partial(model, GGUF)) < 140 * 1024:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, talk = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "kept" in talk and "Traceback" not in talk
    assert _size(puller.partial(model, GGUF)) == 160 * 1024
    listed = json.loads(puller.run("list", "--json").stdout)
    assert str(puller.partial(model, GGUF)) in json.dumps(listed)


def test_a_body_that_stalls_is_asked_for_again_from_there(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(hold_after=160 * 1024))
    assert puller.run("pull", NAME, HF_HUB_DOWNLOAD_TIMEOUT="1").returncode == 0
    assert hub.ranges(GGUF)[1:] == [(160 * 1024, len(model.files[GGUF]))]


def test_two_at_once_download_it_once(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(hold_after=160 * 1024))
    with puller.start("pull", NAME) as first:
        assert hub.held.wait(60)
        with puller.start("pull", NAME) as second:
            assert second.stderr is not None
            assert "Another program is downloading" in second.stderr.readline()
            hub.go_on.set()
            assert second.communicate(timeout=60)[0] == first.communicate(timeout=60)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    assert hub.sent_bytes(GGUF) == len(model.files[GGUF])


def test_a_cache_that_cannot_be_written_is_one_sentence(puller: Puller, hub: Hub, model: Model) -> None:
    (puller.home / "file").write_text("not a folder")
    done = puller.run("pull", NAME, HF_HUB_CACHE=str(puller.home / "file"))
    assert done.returncode == 5 and "cannot be written" in done.stderr and "HF_HOME" in done.stderr


def test_wrong_bytes_are_fetched_once_more(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(wrong_at=77))
    done = puller.run("pull", NAME)
    assert done.returncode == 0 and "checksum" in done.stderr
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


def test_bytes_that_stay_wrong_are_never_shown_as_a_model(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(wrong_at=77), Fault(wrong_at=78))
    done = puller.run("pull", NAME)
    assert (done.returncode, done.stdout) == (5, "")
    assert not puller.place(model, GGUF).exists() and not puller.blob(model, GGUF).exists()
    assert not puller.partial(model, GGUF).exists()


def test_a_spoilt_partial_is_noticed(puller: Puller, hub: Hub, model: Model) -> None:
    partial = puller.partial(model, GGUF)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"\0" * 100_000)
    assert puller.run("pull", NAME).returncode == 0
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]
    assert hub.ranges(GGUF) == [(100_000, 400_000), (0, 400_000)]


def test_a_server_without_ranges_starts_again(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(cut_after=100_000), Fault(no_ranges=True))
    assert puller.run("pull", NAME).returncode == 0
    assert hub.ranges(GGUF) == [(0, 100_000), (0, 400_000)]
    assert puller.place(model, GGUF).read_bytes() == model.files[GGUF]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again(status: int, puller: Puller, hub: Hub, model: Model) -> None:
    busy = Fault(status=status, headers=AT_ONCE)
    hub.fail("api", busy, busy)
    hub.fail(GGUF, busy, Fault(cut_after=50_000), busy, busy)
    done = puller.run("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert hub.sent_bytes(GGUF) == len(model.files[GGUF])


def test_the_pause_the_hub_asks_for_is_kept_and_said(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail("api", Fault(status=429, headers={"Retry-After": "2"}))
    done = puller.run("pull", NAME)
    assert done.returncode == 0 and "Trying again in 2 s" in done.stderr


def test_a_pause_too_long_to_wait_for_is_an_error(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail("api", Fault(status=429, headers={"RateLimit": '"api";r=0;t=3000'}))
    done = puller.run("pull", NAME)
    assert (done.returncode, done.stdout) == (5, "") and "limiting requests" in done.stderr


def test_a_hub_that_stays_broken_is_given_up_on(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail("api", *[Fault(status=503, headers=AT_ONCE)] * 20)
    done = puller.run("pull", NAME)
    assert done.returncode == 5 and "503" in done.stderr and len(hub.asked) < 12


def test_a_gated_model_names_the_licence_page_and_the_login(puller: Puller, hub: Hub) -> None:
    gated = hub.add("Maker/Gated-GGUF", {"Gated-Q4_K_M.gguf": b"g" * 9000}, gated=True)
    done = puller.run("pull", gated.name)
    assert done.returncode == 5 and not hub.served
    assert f"{hub.address}/{gated.name}" in done.stderr and "hf auth login" in done.stderr
    assert puller.run("pull", gated.name, HF_TOKEN=TOKEN).returncode == 0


def test_the_token_goes_to_the_hub_and_to_nobody_else(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail(GGUF, Fault(status=503, headers=AT_ONCE), Fault(cut_after=1000))
    done = puller.run("pull", NAME, HF_TOKEN=TOKEN)
    assert done.returncode == 0 and TOKEN not in done.stdout + done.stderr
    assert {(each.token, each.is_redirected) for each in hub.served} == {("", True)}


def test_a_token_the_hub_does_not_know_is_said_to_be_the_reason(puller: Puller, model: Model) -> None:
    done = puller.run("pull", NAME, HF_TOKEN="hf_wrongTokenForTests")
    assert done.returncode == 5 and "token" in done.stderr and "hf_wrong" not in done.stderr


def test_a_misspelt_repository_is_answered_with_its_neighbour(puller: Puller, model: Model) -> None:
    done = puller.run("pull", "Maker/Smal-GGUF")
    assert done.returncode == 5 and "Did you mean Maker/Small-GGUF?" in done.stderr


def test_a_misspelt_pair_is_answered_with_its_neighbour(puller: Puller, hub: Hub) -> None:
    done = puller.run("pull", "qwen3-8")
    assert done.returncode == 2 and "qwen3-8b" in done.stderr and not hub.asked


def test_a_missing_file_is_one_sentence(puller: Puller, model: Model) -> None:
    done = puller.run("pull", f"{NAME}/Small-Q9.gguf")
    assert done.returncode == 5 and "Small-Q9.gguf" in done.stderr


def test_a_missing_quantization_lists_what_there_is(puller: Puller, model: Model) -> None:
    done = puller.run("pull", NAME, "--quant", "Q8_0")
    assert done.returncode == 2 and "Q4_K_M (0.4 MB)" in done.stderr


def test_offline_what_is_there_is_found_and_the_rest_explained(puller: Puller, hub: Hub, model: Model) -> None:
    assert "HF_HUB_OFFLINE" in puller.run("pull", NAME, HF_HUB_OFFLINE="1").stderr
    assert not hub.asked
    puller.run("pull", NAME)
    done = puller.run("pull", NAME, HF_HUB_OFFLINE="1")
    assert (done.returncode, done.stdout) == (0, f"{puller.place(model, GGUF)}\n")


def test_without_a_network_what_is_there_is_found_and_the_rest_explained(puller: Puller, model: Model) -> None:
    nowhere = "http://127.0.0.1:9"  # the discard port: nobody listens
    done = puller.run("pull", NAME, HF_ENDPOINT=nowhere)
    assert done.returncode == 5 and nowhere in done.stderr and "network" in done.stderr
    puller.run("pull", NAME)
    again = puller.run("pull", NAME, HF_ENDPOINT=nowhere)
    assert (again.returncode, again.stdout) == (0, f"{puller.place(model, GGUF)}\n")


def test_offline_a_pair_takes_the_source_that_is_there(puller: Puller, hub: Hub) -> None:
    """The catalogue names ready-made files first; only the checkpoint may be on the disk."""
    files = {"config.json": b"{}", "model.safetensors": b"w" * 9000}
    for name in ("Qwen/Qwen3-4B", "deepseek-ai/dspark_qwen3_4b_block7"):
        hub.add(name, files)
        puller.run("pull", name)
    done = puller.run("pull", "qwen3-4b", HF_HUB_OFFLINE="1")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr


def test_a_login_page_is_not_taken_for_a_hub(puller: Puller, hub: Hub, model: Model) -> None:
    hub.fail("api", Fault(page="<html>Please log in</html>"))
    done = puller.run("pull", NAME)
    assert done.returncode == 5 and "does not answer like a hub" in done.stderr


def test_a_full_disk_is_foreseen(puller: Puller, hub: Hub) -> None:
    huge = hub.add("Maker/Huge-GGUF", {"Huge-Q4_K_M.gguf": b"h" * 9000}, sizes={"Huge-Q4_K_M.gguf": 10**18})
    done = puller.run("pull", huge.name)
    assert done.returncode == 5 and "free" in done.stderr and "HF_HOME" in done.stderr
    assert not hub.served


def test_a_file_name_cannot_leave_its_folder(puller: Puller, hub: Hub) -> None:
    hub.add("Maker/Evil-GGUF", {"../../evil-Q4_K_M.gguf": b"e" * 9000})
    assert puller.run("pull", "Maker/Evil-GGUF").returncode == 5
    assert not hub.served


def test_a_split_model_comes_whole(puller: Puller, hub: Hub) -> None:
    parts = {f"Q8_0/Big-Q8_0-0000{n}-of-00002.gguf": random.Random(n).randbytes(20_000) for n in (1, 2)}
    big = hub.add("Maker/Big-GGUF", {**parts, "mmproj-F16.gguf": b"m" * 5000})
    done = puller.run("pull", big.name)
    assert done.stdout.strip() == str(puller.place(big, next(iter(parts)))), done.stderr
    assert all(puller.place(big, part).read_bytes() == data for part, data in parts.items())
    assert not puller.place(big, "mmproj-F16.gguf").exists()


def test_a_checkpoint_comes_without_what_no_converter_reads(puller: Puller, hub: Hub) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"w" * 9000, "pytorch_model.bin": b"b"}
    checkpoint = hub.add("Maker/Small", files)
    done = puller.run("pull", checkpoint.name)
    folder = puller.place(checkpoint, "config.json").parent
    assert done.stdout.strip() == str(folder), done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_a_path_is_as_good_as_a_repository(puller: Puller, hub: Hub) -> None:
    mine = puller.home / "mine-Q8_0.gguf"
    mine.write_bytes(b"GGUF")
    assert puller.run("pull", str(mine)).stdout.strip() == str(mine)
    assert not hub.asked


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
