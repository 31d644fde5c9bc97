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
from sparkdesk.ui.bench.replay_clock import Replay
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers

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
