"""Both lanes of a race side by side, with the clock that replays them and the result under them."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from sparkdesk.bench.race import Race
from sparkdesk.bench.race_arm import RaceArm
from sparkdesk.bench.race_report import headline, verdict
from sparkdesk.bench.results import DIVERGED
from sparkdesk.ui.bench.messages import CopyRace
from sparkdesk.ui.bench.race_arm import DONE, FIRST, SECOND, RaceArmView
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers

SPEEDS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
TRUE_SPEED = 1.0
_TOO_SHORT_MS = 2500.0
"""A race below that is over before anyone has looked: it is shown again in slow motion."""
_LONG_ENOUGH_MS = 4000.0
_REST_MS = 900.0
"""Between the true speed and the slow motion."""


class Replay:
    """Runs from 0 to the end of the race, at true speed first."""

    def __init__(self, duration_ms: float) -> None:
        self.duration_ms = duration_ms
        self.at_ms = 0.0
        self.speed = TRUE_SPEED
        self.is_paused = False
        self._rest_ms = _REST_MS if duration_ms < _TOO_SHORT_MS else 0.0
        """How long to wait at the end before the slow motion; 0 when there is none to come."""

    @property
    def is_at_end(self) -> bool:
        return self.at_ms >= self.duration_ms

    @property
    def is_over(self) -> bool:
        """At the end, and nothing follows."""
        return self.is_at_end and not self._rest_ms

    @property
    def speed_in_words(self) -> str:
        if self.speed == TRUE_SPEED:
            return "true speed"
        if self.speed < TRUE_SPEED:
            return f"slow motion, 1/{round(1 / self.speed)} of true speed"
        return f"{self.speed:g} times true speed"

    def advance(self, elapsed_ms: float) -> None:
        if self.is_paused or self.is_over:
            return
        if not self.is_at_end:
            self.at_ms = min(self.duration_ms, self.at_ms + elapsed_ms * self.speed)
            return
        self._rest_ms = max(0.0, self._rest_ms - elapsed_ms)
        if not self._rest_ms:
            self.at_ms, self.speed = 0.0, slow_motion(self.duration_ms)

    def toggle_pause(self) -> None:
        self.is_paused = not self.is_paused

    def change_speed(self, step: int) -> None:
        """One faster (1) or slower (-1)."""
        place = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, place))]

    def again(self) -> None:
        """From the beginning at the speed it has now, and no more by itself."""
        self.at_ms, self.is_paused, self._rest_ms = 0.0, False, 0.0

    def skip(self) -> None:
        self.at_ms, self.is_paused, self._rest_ms = self.duration_ms, False, 0.0


def slow_motion(duration_ms: float) -> float:
    """The fastest of the slow speeds at which there is time to look."""
    slow = [speed for speed in SPEEDS if speed < TRUE_SPEED]
    return next((speed for speed in reversed(slow) if duration_ms >= _LONG_ENOUGH_MS * speed), slow[0])


_FRAME_S = 1 / 20


class RaceView(Vertical, can_focus=True):
    """Keys act on the replay once it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", tooltip="Hold the replay, or go on", id="race.pause"),
        Binding("w", "again", "Replay", tooltip="Replay from the start", id="race.again"),
        Binding("s", "skip", "Skip", tooltip="Go to the result", id="race.skip"),
        Binding(
            "plus,right", "speed(1)", "Faster", key_display="+", show=False, tooltip="Replay faster", id="bench.faster"
        ),
        Binding(
            "minus,left", "speed(-1)", "Slower", key_display="-", show=False, tooltip="Replay slower", id="bench.slower"
        ),
        Binding("c", "copy", "Copy", tooltip="Copy the result in one line", id="race.copy"),
    ]

    def __init__(self) -> None:
        super().__init__(id="lanes")
        self._race: Race | None = None
        self._replay = Replay(0.0)
        self._looked_at_s = 0.0

    def compose(self) -> ComposeResult:
        with Horizontal(classes="arena"):
            yield RaceArmView("plain decoding", id="plain", glyph="○")
            yield RaceArmView("speculation", id="speculative", glyph="●")
        yield Static(classes="result")

    def on_mount(self) -> None:
        self._frames = self.set_interval(_FRAME_S, self.show_frame, pause=True)

    @property
    def race(self) -> Race | None:
        return self._race

    @property
    def replay(self) -> Replay:
        return self._replay

    def begin(self, race: Race) -> None:
        self._race = race
        self._replay = Replay(race.longest_ms)
        self._arm("plain").begin(race.plain)
        self._arm("speculative").begin(race.speculative)
        self._run()

    def show_frame(self) -> None:
        """Nobody watches while another screen is in front, so time stands still then."""
        now_s = time.monotonic()
        elapsed_ms, self._looked_at_s = 1e3 * (now_s - self._looked_at_s), now_s
        if self._race is None or not self.screen.is_current:
            return
        self._replay.advance(elapsed_ms)
        at_ms = self._replay.at_ms
        for name, arm, other in self._race_arms(self._race):
            view = self._arm(name)
            seen = view.show_at(at_ms)
            if seen is not None:
                view.place = _place(self._race, arm, other) if seen.is_finished else 0
        self.query_one(".result", Static).update(Content("\n").join(self._result(self._race)))
        self.set_class(self._replay.is_over, "-over")
        if self._replay.is_over:
            self._frames.pause()

    def action_pause(self) -> None:
        if self._replay.is_over:
            self.action_again()
        else:
            self._replay.toggle_pause()
            self.show_frame()

    def action_again(self) -> None:
        self._replay.again()
        self._run()

    def action_skip(self) -> None:
        self._replay.skip()
        self.show_frame()

    def action_speed(self, step: int) -> None:
        self._replay.change_speed(step)
        if self._replay.is_over:
            self.action_again()
        self.show_frame()

    def action_copy(self) -> None:
        if self._race is not None:
            self.post_message(CopyRace(self._race))

    def _run(self) -> None:
        self._looked_at_s = time.monotonic()
        self._frames.resume()

    def _arm(self, name: str) -> RaceArmView:
        return self.query_one(f"#{name}", RaceArmView)

    def _race_arms(self, race: Race) -> tuple[tuple[str, RaceArm, RaceArm], ...]:
        return (("plain", race.plain, race.speculative), ("speculative", race.speculative, race.plain))

    def _result(self, race: Race) -> list[Content]:
        replay = self._replay
        clock = f"{replay.at_ms / 1e3:.2f} s"
        if not replay.is_over:
            how = "held" if replay.is_paused else replay.speed_in_words
            ids = ("race.pause", "bench.faster", "bench.slower")
            pause, faster, slower = (key_name(self, key_id) for key_id in ids)
            keys = f"  ({pause} pauses, {faster} and {slower} change the speed)"
            return [Content.assemble(("▶ ", "$primary"), (clock, "bold"), f"  {how}", (keys, "$spark-quiet"))]
        colour = "$primary" if race.saved_ms >= 0 else "$spark-calm"
        stats = race.speculative.reply.stats
        facts = "nothing was drafted, because it would not have paid"
        if stats.verified:
            facts = f"accepted length {stats.accepted_length:.2f} · acceptance {numbers.percent(stats.acceptance)}"
        first = "plain" if race.is_plain_first else "speculation"
        is_wrong = race.judgement is not None and race.judgement.kind == DIVERGED
        return [
            Content.assemble(("✦ ", colour), (headline(race), f"bold {colour}")),
            Content.styled(f"  {verdict(race)}", "bold $error" if is_wrong else "$foreground"),
            Content.styled(f"  {facts} · {first} was measured first", "$spark-quiet"),
        ]


def _place(race: Race, arm: RaceArm, other: RaceArm) -> int:
    if not race.is_even_length:
        return DONE
    return FIRST if arm.finish_ms <= other.finish_ms else SECOND
