"""One reply in the making: its place among the messages, and what came of it so far."""

from dataclasses import replace

from sparkdesk.chat.attribution import mark_of
from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.responder import PromptEvent
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import RoundMark, Stretch, Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.chat_format.reasoning import opening_tags
from sparkdesk.engine.stats import ReplyStats


class Turn:
    """Puts into the tree what is sent and what is said, and takes back what came to nothing."""

    def __init__(self, tree: MessageTree, settings: ChatSettings, *, parent: int | None) -> None:
        self.settings = settings
        self.stopped_at_s: float | None = None
        self.was_stop_sent = False
        self.is_settled = False
        """Whether its end is kept."""
        self._tree = tree
        self._asked = parent
        self._is_asked_new = False
        self._shown_before: int | None = None
        self._answer: int | None = None
        self._before: Message | None = None
        """What stood in the place of a reply that is gone on with."""
        self._stats = ReplyStats()
        self._text: list[str] = []
        self._stretches: list[Stretch] = []
        self._rounds: list[RoundMark] = []

    @classmethod
    def sending(cls, tree: MessageTree, settings: ChatSettings, user: Message, *, parent: int | None) -> "Turn":
        """The user's message stands in the tree from now on."""
        shown_before = tree.last
        turn = cls(tree, settings, parent=tree.add(user, parent))
        turn._is_asked_new, turn._shown_before = True, shown_before
        return turn

    @classmethod
    def going_on(cls, tree: MessageTree, settings: ChatSettings, answer: int) -> "Turn":
        """Where the reply has thoughts, as a reply with thoughts, whatever was chosen since: the template writes what
        comes before it in another way without them."""
        before = tree.message(answer)
        if opening_tags(before.content) is not None:
            settings = replace(settings, is_thinking=True)
        turn = cls(tree, settings, parent=tree.parent(answer))
        turn._answer, turn._before = answer, before
        return turn

    @property
    def is_stopped(self) -> bool:
        return self.stopped_at_s is not None

    @property
    def path(self) -> tuple[int, ...]:
        """Numbers of the messages that are answered."""
        return self._tree.path_to(self._asked)

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._tree.line_to(self._asked)

    @property
    def begun(self) -> str:
        return self._before.content if self._before is not None else ""

    @property
    def text(self) -> str:
        """The whole reply so far."""
        return self.begun + "".join(self._text)

    @property
    def has_any(self) -> bool:
        """Whether something came of it."""
        return bool(self._rounds or self._text)

    def counted(self, event: PromptEvent) -> PromptEvent:
        """The event with the figures of the whole reply, where it is one that is gone on with."""
        before = self._before.stats if self._before is not None else None
        if before is None or not isinstance(event, ReplyAdvanced | ReplyFinished):
            return event
        return replace(event, stats=before.followed_by(event.stats))

    def add(self, event: ReplyAdvanced) -> None:
        if event.text:
            self._text.append(event.text)
        self._stretches += event.stretches
        if event.round.tokens or event.round.elapsed_ms:  # text that was held back comes without a round
            self._rounds.append(mark_of(event.round, is_speculating=event.is_speculating))
        self._stats = event.stats

    def finish(self, event: ReplyFinished) -> None:
        """The whole text has the last word: of some servers' replies only the end tells what they began with."""
        self._stats = event.stats
        if event.text != self.text:
            self._text, self._stretches = [event.text.removeprefix(self.begun)], []

    def keep(self, *, note: str, is_partial: bool, model: str) -> None:
        """The reply as it ended stands in the tree."""
        trace = Trace(self._stretches, self._rounds)
        answer = Message("assistant", self.text, is_partial, self._stats, note, trace=trace, model=model)
        self._put(answer if self._before is None else _grown(self._before, answer))

    def keep_meanwhile(self, *, note: str, model: str) -> None:
        """The reply as far as it is, without its origins: to write them every second would take longer and longer."""
        self._put(Message("assistant", self.text, True, self._stats, note, model=model))

    def _put(self, answer: Message) -> None:
        if self._answer is None:
            self._answer = self._tree.add(answer, self._asked)
        else:
            self._tree.replace(self._answer, answer)

    def take_back(self) -> bool:
        """It cannot be answered, so it was never sent; returns whether that changed anything."""
        if not self._is_asked_new or self._answer is not None or self._asked is None:
            return False
        self._tree.remove(self._asked)
        if self._shown_before is not None:
            self._tree.show(self._shown_before)
        self._is_asked_new = False
        return True


def _grown(before: Message, after: Message) -> Message:
    """Both parts' origins; the figures are counted together already."""
    if before.trace is None or after.trace is None:
        return replace(after, trace=None)
    trace = Trace(before.trace.stretches + after.trace.stretches, before.trace.rounds + after.trace.rounds)
    return replace(after, trace=trace)
