"""The figures of the live panel, folded out of reply events. Knows events and arithmetic; nothing of widgets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sparkdesk.chat.attribution import mark_of
from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced
from sparkdesk.chat.messages import Message
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, ChoiceWatch, DraftChoice
from sparkdesk.ui.chat.heatmap import Column, Heat
from sparkdesk.ui.chat.speed_history import Bin, SpeedHistory

# A reply's first token comes with the prefill, and ReplyStats leaves it out of what rounds gained.
_NO_ROUNDS = ReplyStats(generated=1)
HEAT_COLUMNS = 29
"""As many as the live panel has room for."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Replies added up: of a conversation so far, or of everything since the start."""

    replies: int = 0
    tokens: int = 0
    saved_ms: float = 0.0

    def plus(self, stats: ReplyStats, *, saved_ms: float, counted_tokens: int = 0) -> "Totals":
        """`counted_tokens` of the reply are in already, because it was gone on with."""
        replies = self.replies + (not counted_tokens)
        return Totals(replies, self.tokens + stats.generated - counted_tokens, self.saved_ms + saved_ms)


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """One moment of the desk, ready to be shown."""

    is_replying: bool = False
    prefill: PrefillAdvanced | None = None
    """Set while the prompt is being read."""
    now: float = 0.0
    """Tokens per second, smoothed over half a second."""
    bins: tuple[Bin, ...] = ()
    bin_ms: float = 0.0
    reply: ReplyStats = field(default_factory=ReplyStats)
    speculation: ReplyStats = _NO_ROUNDS
    """Speculating rounds only: of this reply, or of the last one that had any."""
    is_speculating: bool = False
    """Whether the newest round was; when not, `speculation` is history."""
    parked_rounds: int = 0
    """Those rounds of `speculation` in which it was on hold: switched on, at the speed of plain decoding."""
    heat: tuple[Column, ...] = ()
    """Acceptance by position over the reply that `speculation` is of, from its first tokens to its last."""
    choice: DraftChoice = NO_CHOICE
    """What the scheduler does now; nothing between replies."""
    totals: Totals = field(default_factory=Totals)
    in_all: Totals = field(default_factory=Totals)
    """Of all conversations that are kept, and of those that were open since the start."""

    @property
    def plain_tokens_per_second(self) -> float:
        """What plain decoding makes on this machine; 0 when not measured."""
        return 1e3 / self.reply.plain_ms if self.reply.plain_ms > 0 else 0.0

    @property
    def context_used(self) -> int:
        return self.reply.prompt_tokens + self.reply.generated


class LiveStats:
    """Takes in what happens in one conversation, gives out figures. Belongs to one thread."""

    def __init__(
        self, messages: Sequence[Message] = (), *, in_all: Totals | None = None, model: str | None = None
    ) -> None:
        """`messages` are what was said before; figures are shown of replies of `model` only, None for any."""
        self.in_all = in_all or Totals()
        self._history = SpeedHistory()
        self._prefill: PrefillAdvanced | None = None
        replies = [message.stats for message in messages if message.stats is not None]
        is_another = bool(messages) and model is not None and messages[-1].model not in ("", model)
        self._reply = replies[-1] if replies and not is_another else ReplyStats()
        self._speculation = self._reply if self._reply.verified else _NO_ROUNDS
        self._settled = Totals()
        for stats in replies:
            self._settled = self._settled.plus(stats, saved_ms=stats.saved_by_speculation_ms)
        self._is_replying = False
        self._has_come = False
        """Whether any of the reply in the making was seen."""
        self._counted_tokens = 0
        """Of that reply, where it is one that is gone on with."""
        self._is_speculating = self._reply.verified > 0
        self._is_old_speculation = False
        self._parked_rounds = 0
        self._watch = ChoiceWatch()
        trace = messages[-1].trace if messages and self._is_speculating else None
        self._heat = Heat(trace.rounds if trace is not None else ())

    @property
    def reply(self) -> ReplyStats:
        return self._reply

    @property
    def prefill(self) -> PrefillAdvanced | None:
        return self._prefill

    @property
    def parked_rounds(self) -> int:
        """Of this reply."""
        return 0 if self._is_old_speculation else self._parked_rounds

    def forget_model(self) -> None:
        """Another one is loaded: only the sums over the conversation go on."""
        self._history, self._heat = SpeedHistory(), Heat()
        self._reply, self._speculation, self._is_speculating = ReplyStats(), _NO_ROUNDS, False
        self._parked_rounds = 0
        self.forget_choice()

    def begin_reply(self) -> None:
        self._history.forget_now()
        self._is_replying = True
        self._has_come = False
        self._counted_tokens = 0
        self._is_old_speculation = True
        self.forget_choice()

    def read_prompt(self, prefill: PrefillAdvanced) -> None:
        self._prefill = prefill

    def add(self, advances: Iterable[ReplyAdvanced]) -> None:
        for advance in advances:
            self._prefill = None
            if not self._has_come and advance.stats.prefills > 1:
                self._counted_tokens = advance.stats.generated - len(advance.round.tokens)
            self._has_come = True
            self._reply = advance.stats
            self._is_speculating = advance.is_speculating
            if not advance.round.is_first and advance.round.elapsed_ms > 0:  # held-back text comes without a round
                self._add_round(advance)

    def end_reply(self, stats: ReplyStats | None = None) -> None:
        """The final figures are the engine's own; a broken reply keeps the last it had."""
        if not self._is_replying:
            return
        self._is_replying = False
        self._prefill = None
        if stats is None and not self._has_come:
            return  # what stands there is the reply before
        self._reply = stats or self._reply
        self._settled, self.in_all = self._with_reply(self._settled), self._with_reply(self.in_all)

    def forget_choice(self) -> None:
        """Rounds so far say nothing about the choices to come."""
        self._watch = ChoiceWatch()

    def figures(self) -> LiveFigures:
        is_coming = self._is_replying and self._has_come
        return LiveFigures(
            is_replying=self._is_replying,
            prefill=self._prefill,
            now=self._history.now,
            bins=self._history.bins,
            bin_ms=self._history.bin_ms,
            reply=self._reply,
            speculation=self._speculation,
            is_speculating=self._is_speculating,
            parked_rounds=self._parked_rounds,
            heat=tuple(self._heat.columns(HEAT_COLUMNS)),
            choice=self._watch.choice if self._is_replying and self._is_speculating else NO_CHOICE,
            totals=self._with_reply(self._settled) if is_coming else self._settled,
            in_all=self._with_reply(self.in_all) if is_coming else self.in_all,
        )

    def _with_reply(self, totals: Totals) -> Totals:
        # Plain rounds are a little faster or slower than the plain estimate too; that is not speculation's doing.
        saved_ms = 0.0 if self._is_old_speculation else self._speculation.saved_by_speculation_ms
        return totals.plus(self._reply, saved_ms=saved_ms, counted_tokens=self._counted_tokens)

    def _add_round(self, advance: ReplyAdvanced) -> None:
        done = advance.round
        self._history.add(len(done.tokens), done.elapsed_ms, is_speculating=advance.is_speculating)
        if advance.is_speculating and self._is_old_speculation:
            self._speculation, self._is_old_speculation, self._parked_rounds = _NO_ROUNDS, False, 0
            self._heat = Heat()
        if not self._is_old_speculation:
            self._heat.add((mark_of(done, is_speculating=advance.is_speculating),))
        if advance.is_speculating:
            self._speculation = self._speculation.after(done)
            self._parked_rounds += done.is_parked
            self._watch.add(done)
