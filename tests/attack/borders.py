"""The borders that the campaign attacks: each makes its own room, and says of a seed what was wrong."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.attack import broken_homes, fuzz_hub
from tests.attack.attacked_server import attacked_server
from tests.attack.hostile_requests import request
from tests.converters.mutations import mutate_bytes, mutate_json

Room = Callable[[Path], AbstractContextManager["Border"]]


@dataclass
class Border:
    trial: Callable[[int], Iterator[str]]
    """Yields what was wrong, or raises it."""
    at_the_end: Callable[[], Iterator[str]] = lambda: iter(())
    largest_bytes: Callable[[], int] = lambda: 0
    waits_s: Callable[[], list[float]] = list


def _raising(trial: Callable[[int], object]) -> Border:
    def run(seed: int) -> Iterator[str]:
        trial(seed)
        return iter(())

    return Border(run)


@contextmanager
def headers(room: Path) -> Iterator[Border]:
    from tests.gguf.fuzz_header import trial

    yield _raising(lambda seed: trial(seed, room))


@contextmanager
def checkpoints(room: Path) -> Iterator[Border]:
    """safetensors, config.json, tokenizer.json, the index of shards, drafts' configs, GGUF files."""
    from tests.converters.fuzz import subjects, trial

    files = [*subjects(room).values()]
    yield _raising(lambda seed: trial(files[seed % len(files)], seed))


@contextmanager
def templates(room: Path) -> Iterator[Border]:
    from tests.chat_format.fuzz_templates import render
    from tests.chat_format.hostile_templates import made_up

    yield _raising(lambda seed: render(made_up(seed)))


@contextmanager
def settings(room: Path) -> Iterator[Border]:
    from tests.config.fuzz_settings import trial

    yield _raising(lambda seed: trial(seed, room))


@contextmanager
def histories(room: Path) -> Iterator[Border]:
    from tests.chat.history.fuzz_history import make, trial

    make(room / "sound.db")
    sound, work = (room / "sound.db").read_bytes(), room / "work"
    work.mkdir()
    yield _raising(lambda seed: trial(seed, sound, work))


@contextmanager
def hub(room: Path) -> Iterator[Border]:
    from collections import Counter

    from tests.hub.server import Hub

    with Hub().running() as asked:
        fuzz_hub.prepare(asked, room)
        codes = Counter[int]()
        yield Border(lambda seed: (finding.what for finding in fuzz_hub.case(asked, room, seed, codes)))


@contextmanager
def servers(room: Path) -> Iterator[Border]:
    """What `sparkdesk connect` is answered."""
    from sparkdesk.errors import EngineError
    from sparkdesk.remote.client import Server
    from tests.attack.test_servers import talk
    from tests.remote.dialects import DONE, STOP, VLLM, Script, event, server, text

    timings = {"predicted_n": 2, "predicted_ms": 5.0, "draft_n": 3, "draft_n_accepted": 2, "prompt_n": 4}
    sound = event(choices=[{"delta": {"content": "Hi", "reasoning_content": "Hm"}}], timings=timings)

    def trial(seed: int) -> Iterator[str]:
        rng = random.Random(seed)
        body = mutate_json(sound[6:], rng).replace(b"\n", b"")
        chunks = [text("One", timings=timings), b"data: " + body + b"\n\n", STOP, DONE]
        talk(Script(chunks=[mutate_bytes(chunk, rng) if rng.random() < 0.1 else chunk for chunk in chunks]))
        with server(Script(answer=mutate_json(encoded_models(VLLM), rng))) as url:
            there = Server(url)
            try:
                there.models()
            except EngineError as error:
                assert len(error.message) < 1000
            finally:
                there.close()
        return iter(())

    yield Border(trial)


def encoded_models(models: object) -> bytes:
    import json

    return json.dumps(models).encode()


@contextmanager
def homes(room: Path) -> Iterator[Border]:
    sound, home, outside = room / "sound", room / "home", room / "outside"
    broken_homes.make_home(sound)
    broken_homes.load_commands()
    outside.mkdir()
    passwords = Path("/etc/passwd").read_bytes()

    def trial(seed: int) -> Iterator[str]:
        rng = random.Random(seed)
        _forget(home)
        shutil.copytree(sound, home)
        damage = ", ".join(broken_homes.break_home(home, rng) for _ in range(rng.choice((1, 1, 2))))
        for command in rng.sample(broken_homes.COMMANDS, 2):
            for wrong in broken_homes.run(command, home, room, outside):
                yield f"{wrong} ({' '.join(command)}; {damage})"
        if Path("/etc/passwd").read_bytes() != passwords:
            yield "changed /etc/passwd"

    yield Border(trial)


def _forget(home: Path) -> None:
    if home.is_symlink() or home.is_file() or home.is_fifo():
        home.unlink()
    elif home.exists():
        shutil.rmtree(home)


@contextmanager
def requests(room: Path) -> Iterator[Border]:
    with attacked_server(room) as server:

        def trial(seed: int) -> Iterator[str]:
            shape = request(seed)
            status, _ = server.send(shape)
            if status == -1:
                yield f"hangs ({shape.kind})"
            elif status is not None and status >= 500:
                yield f"status {status} ({shape.kind})"
            assert server.process.poll() is None, "the server has ended"

        def at_the_end() -> Iterator[str]:
            log = server.log.read_bytes()
            for sign in (b"Traceback", b"should not have happened", b"The engine died", b"\x1b"):
                if sign in log:
                    at = log.index(sign)
                    yield f"log has {sign!r}: {log[at : at + 300]!r}"
            if server.refused:
                yield f"{server.refused} of {len(server.waits_s)} harmless requests were refused"

        yield Border(trial, at_the_end, server.largest_bytes, lambda: server.waits_s)
