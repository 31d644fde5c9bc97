"""A conversion that is killed or runs out of room leaves at most a hidden part, and the next one clears that away."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from converters import ConversionError, convert_target
from tests.converters.checkpoints import make_target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills processes and mounts file systems")

ROOT = Path(__file__).parents[2]
CONVERT_AND_WAIT = """
import sys, time
from pathlib import Path
from converters import convert_target
for event in convert_target(Path(sys.argv[1]), Path(sys.argv[2]), output_type=sys.argv[3]):
    if event.stage == sys.argv[4]:
        print("ready", flush=True)
        time.sleep(600)
"""


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed_in(stage: str, source: Path, out: Path, *, output_type: str) -> None:
    command = (sys.executable, "-c", CONVERT_AND_WAIT, str(source), str(out), output_type, stage)
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.kill()


@pytest.mark.parametrize(
    ("stage", "output_type", "part_count"),
    [("convert", "F16", 1), pytest.param("quantize", "Q4_K_M", 2, marks=pytest.mark.native)],
)
def test_after_a_kill_the_next_conversion_starts_clean(
    tmp_path: Path, stage: str, output_type: str, part_count: int
) -> None:
    made = make_target(tmp_path / "target", tied=True)
    folder = tmp_path / "out"
    folder.mkdir()
    killed_in(stage, made.folder, folder / "model.gguf", output_type=output_type)
    parts = leftovers(folder)
    assert len(parts) == part_count and all(name.startswith(".model.gguf.") for name in parts)
    list(convert_target(made.folder, folder / "model.gguf", output_type="F16"))
    assert leftovers(folder) == ["model.gguf"]


def test_only_what_was_left_of_the_same_file_is_cleared_away(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    folder = tmp_path / "out"
    folder.mkdir()
    others = [".a.gguf.b.0123abcd.part", ".b.gguf.0123abcd.part", ".a.gguf.mine.part", "a.gguf.0123abcd.part"]
    for name in (*others, ".a.gguf.0123abcd.part"):
        (folder / name).write_text("left")
    list(convert_target(made.folder, folder / "a.gguf", output_type="F16"))
    assert leftovers(folder) == sorted([*others, "a.gguf"])


def test_a_conversion_that_still_runs_keeps_its_part(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    out = tmp_path / "model.gguf"
    slow = convert_target(made.folder, out, output_type="F16", overwrite=True)
    next(slow)
    list(convert_target(made.folder, out, output_type="Q8_0", overwrite=True))
    quick = out.read_bytes()
    list(slow)
    assert out.read_bytes() != quick
    assert leftovers(tmp_path) == ["model.gguf", "target"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)), capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(("umount", str(folder)), check=True)


@pytest.fixture
def claims_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check beforehand sees a large disk: somebody else fills it meanwhile."""
    measure = shutil.disk_usage
    claims = iter([measure("/")._replace(free=10**12)])
    monkeypatch.setattr("converters.output_file.shutil.disk_usage", lambda path: next(claims, None) or measure(path))


@pytest.mark.usefixtures("claims_room")
@pytest.mark.parametrize("output_type", ["F32", "BF16"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, small_disk: Path, output_type: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    (small_disk / "filler").write_bytes(bytes(6_000_000))
    with pytest.raises(ConversionError, match=r"has no space left for model\.gguf") as caught:
        list(convert_target(made.folder, small_disk / "model.gguf", output_type=output_type))
    assert caught.value.hint == "Free some space and convert again."
    assert leftovers(small_disk) == ["filler"]


@pytest.mark.usefixtures("claims_room")
def test_a_disk_that_cannot_reserve_room_fills_up_while_writing(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_target(tmp_path / "target", tied=False)
    (small_disk / "filler").write_bytes(bytes(6_000_000))
    monkeypatch.setattr("converters.writer.reserve", lambda *_: None)
    with pytest.raises(ConversionError, match=r"has no space left for model\.gguf"):
        list(convert_target(made.folder, small_disk / "model.gguf", output_type="F32"))
    assert leftovers(small_disk) == ["filler"]


@pytest.mark.native
@pytest.mark.usefixtures("claims_room")
def test_a_disk_that_is_full_before_llama_cpp_is_done_is_named_too(tmp_path: Path, small_disk: Path) -> None:
    made = make_target(tmp_path / "target", tied=False)
    room = 8 * 2**20 - 512 * 1024
    events = convert_target(made.folder, small_disk / "model.gguf", output_type="Q6_K")
    with pytest.raises(ConversionError, match=r"has no space left for model\.gguf"):
        for event in events:
            if event.stage == "convert" and event.done == event.total:
                used = sum(path.stat().st_size for path in small_disk.iterdir())
                (small_disk / "filler").write_bytes(bytes(room - used))
    assert leftovers(small_disk) == ["filler"]


def test_the_room_for_both_files_is_asked_for_before_llama_cpp_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unquantized file and the result lie side by side for a while."""
    made = make_target(tmp_path / "target", tied=False, dtype="BF16")
    weight_bytes = 2 * sum(values.size for values in made.weights.values())
    spare = 64 * 1024 * 1024
    usage = shutil.disk_usage(tmp_path)._replace(free=weight_bytes + spare + 100_000)
    monkeypatch.setattr("converters.output_file.shutil.disk_usage", lambda _: usage)
    with pytest.raises(ConversionError, match="GB free and the conversion needs"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_K_M"))
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    assert (tmp_path / "out.gguf").exists()
