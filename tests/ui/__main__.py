"""`python -m tests.ui [scenario]`: the desk without an engine, for looking at it."""

import sys
from dataclasses import replace

from sparkdesk.errors import ModelLoadError
from sparkdesk.ui.app import SparkDeskApp
from tests.ui.fake_backend import MODEL, STORY, FakeBackend, Script, slow_opening, with_history, with_problem

PACED = Script(is_paced=True, plain_ms=12, text=STORY * 3)
THOUGHT = "<think>The user wants a story. A short one, with a spark in it. Let me plan it: a desk, a spark.</think>\n\n"

SCENARIOS = {
    "plain": FakeBackend(PACED),
    "fast": FakeBackend(replace(PACED, plain_ms=1.9, text=STORY * 200)),
    "slow": FakeBackend(replace(PACED, plain_ms=180)),
    "loss": FakeBackend(replace(PACED, acceptance=(0.3, 0.2, 0.1, 0.1, 0.1, 0.0, 0.0))),
    "auto": FakeBackend(replace(PACED, auto_lengths=(3, 4, 3, 2))),
    "parked": FakeBackend(replace(PACED, parked_rounds=range(10_000))),
    "wavering": FakeBackend(replace(PACED, auto_lengths=(3,), parked_rounds=range(100, 300), text=STORY * 8)),
    "unsure": FakeBackend(replace(PACED, parked_rounds=range(10_000), parked_gain=0.0)),
    "repeating": FakeBackend(replace(PACED, auto_lengths=(3, 4), lookup_every=4)),
    "crash": FakeBackend(replace(PACED, crash_after_rounds=40)),
    "thinking": FakeBackend(replace(PACED, text=THOUGHT + STORY)),
    "loading": FakeBackend(replace(PACED, open_events=slow_opening(200), open_pause_s=0.03)),
    "failure": FakeBackend(
        replace(PACED, open_error=ModelLoadError("The target is not a GGUF file: spark.gguf.", "Convert it again."))
    ),
    "nodraft": FakeBackend(
        PACED, model=with_problem("the draft expects 151936 tokens and the target has 152064; pick its own draft")
    ),
    "kept": with_history(FakeBackend(PACED)),
    "full": with_history(FakeBackend(replace(PACED, left_out=4))),
    "big": FakeBackend(
        replace(PACED, parked_rounds=range(40, 80)),
        model=replace(MODEL, name="Qwen3-8B-Q4_K_M", devices=("NVIDIA GeForce RTX 4090",)),
    ),
}

if __name__ == "__main__":
    SparkDeskApp(SCENARIOS[sys.argv[1] if len(sys.argv) > 1 else "plain"]).run()
