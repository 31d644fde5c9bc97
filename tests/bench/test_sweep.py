"""The sweep: every length for every prompt, from an empty cache, in an order that turns."""

from sparkdesk.bench.suite import Prompt
from sparkdesk.bench.sweep import Swept, sweep
from sparkdesk.events import Notice, Progress
from tests.bench.rounds import lent_engine
from tests.scripted_engine import ScriptedEngine

PROMPTS = (Prompt("a", "x", "same, a"), Prompt("b", "x", "same, b"))


def swept(engine: ScriptedEngine, prompts: tuple[Prompt, ...] = PROMPTS) -> list[Progress | Notice | Swept]:
    return list(sweep(engine, prompts, max_tokens=9, render=lambda text: tuple(map(ord, text))))


def test_every_length_is_played_once_a_prompt_and_none_always_first() -> None:
    engine = lent_engine()
    lengths = [event.length for event in swept(engine) if isinstance(event, Swept)]
    assert lengths == [0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 0]
    assert set(engine.reused) == {0}
    asked = [settings.speculation for settings in engine.settings if settings.max_tokens == 9]
    assert [(each.is_enabled, each.draft_length) for each in asked[:3]] == [(False, None), (True, 1), (True, 2)]


def test_progress_comes_to_its_end() -> None:
    progress = [event for event in swept(lent_engine()) if isinstance(event, Progress)]
    assert progress[0].done == 0 and progress[-1].done == 1 + 7 / 8 and progress[-1].total == 2


def test_a_prompt_too_long_is_left_out_whole() -> None:
    events = swept(lent_engine(context_tokens=20), (Prompt("long", "x", "x" * 30), PROMPTS[0]))
    assert sum(isinstance(event, Notice) for event in events) == 1
    assert sum(isinstance(event, Swept) for event in events) == 8
