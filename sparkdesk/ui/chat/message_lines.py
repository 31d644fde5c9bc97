"""What the transcript shows of a message, as lines of a width. Knows no widgets, so it is there without being seen."""

import re
from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.style import Style

from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.trace import RoundMark, Stretch
from sparkdesk.chat_format.reasoning import ReplyParts, opening_tags, split_reply
from sparkdesk.safe_text import safe_line, safe_text
from sparkdesk.ui.chat import status_lines
from sparkdesk.ui.chat.growing_text import GrowingText
from sparkdesk.ui.chat.heatmap import Heat
from sparkdesk.ui.chat.markdown.growing import GrowingMarkdown
from sparkdesk.ui.chat.token_origins import legend, styled_pieces
from sparkdesk.ui.shared import numbers
from sparkdesk.ui.shared.bars import packed


def thinking_ms(text: str, stretches: Sequence[Stretch], rounds: Sequence[RoundMark]) -> float:
    """How long the rounds took that brought the thought; 0 when there is no trace of them."""
    tags = opening_tags(text)
    end = text.find(tags.closing) if tags is not None else 0
    end = len(text) if end < 0 else end
    tokens, length = 0, 0
    for stretch in stretches:
        if length >= end:
            break
        tokens, length = tokens + 1, length + stretch.length
    elapsed_ms, brought = 0.0, 0
    for done in rounds:
        if brought >= tokens:
            break
        elapsed_ms, brought = elapsed_ms + done.elapsed_ms, brought + done.tokens
    return elapsed_ms


LIVE_THOUGHT_LINES = 6
_ONE = Branch(1, 1)
_EMPTY = Content("")
_BETWEEN = " · "
_QUIET, _FAINT = "$spark-quiet", "$spark-faint"
_BLOCK = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.M | re.S
)


class Entry:
    """One message. Its lines are drawn when they are asked for and kept until it changes."""

    text = ""
    is_user = False
    can_go_on = False
    can_regenerate = False
    """Where it is the last: it is kept, or what it was to answer is."""

    def __init__(self, index: int | None = None, branch: Branch = _ONE) -> None:
        self.index = index
        """In the conversation; None for what was not kept."""
        self.branch = branch
        self.is_cut_above = False
        """The model no longer reads what is above."""
        self.is_folded = True
        """Of a thought."""
        self.shows_origins = False
        self._lines: Sequence[Content] = ()
        self._width = 0

    @property
    def answer(self) -> str:
        """What to copy."""
        return self.text

    @property
    def code_blocks(self) -> Sequence[str]:
        return ()

    @property
    def has_thought(self) -> bool:
        return False

    def fold(self) -> None:
        """Its thought, or unfold it."""
        self.is_folded = not self.is_folded
        self.changed()

    def toggle_origins(self) -> None:
        self.shows_origins = not self.shows_origins
        self.changed()

    @property
    def lines_above(self) -> int:
        """Of its lines, how many only keep it apart from the message above."""
        return 3 if self.is_cut_above else 1

    def lines(self, width: int) -> Sequence[Content]:
        if width != self._width:
            self._width = width
            self._lines = [*self._above(width), *self._draw(width)]
        return self._lines

    def know(self, index: int | None, branch: Branch) -> None:
        """Its place in the conversation, and which version it is."""
        self.index, self.branch = index, branch
        self.changed()

    def changed(self) -> None:
        """What was drawn does not hold any more."""
        self._width = 0

    def _above(self, width: int) -> list[Content]:
        if not self.is_cut_above:
            return [_EMPTY]
        words = " ↑ the model no longer reads what is above "
        return [_EMPTY, Content.styled(words.center(width, "─")[:width], "$warning"), _EMPTY]

    def _draw(self, width: int) -> list[Content]:
        raise NotImplementedError

    def _versions(self) -> list[Content]:
        """Which of several versions this is, between two arrows to be clicked."""
        if self.branch.count < 2:
            return []
        return [
            Content.assemble(
                ("◂", Style.from_meta({"act": "previous"})),
                f" {self.branch.number}/{self.branch.count} ",
                ("▸", Style.from_meta({"act": "next"})),
            ).stylize_before("$secondary")
        ]


class UserEntry(Entry):
    """The user's words, to the letter."""

    is_user = True

    def __init__(
        self, text: str, attachments: Sequence[Attachment] = (), index: int | None = None, branch: Branch = _ONE
    ) -> None:
        super().__init__(index, branch)
        self.can_regenerate = index is not None
        self.text = text
        self.attachments = tuple(attachments)

    def _draw(self, width: int) -> list[Content]:
        lines = [Content.styled(f"+ {_attached(each)}", _QUIET) for each in self.attachments]
        for line in Content.styled(safe_text(self.text), "bold").split(allow_blank=True) or [_EMPTY]:
            lines += line.wrap(width) or [_EMPTY]
        return [*lines, *self._versions()]


class ReplyEntry(Entry):
    """A reply: thought, answer, and a line below that says how it went; on demand where its tokens came from."""

    def __init__(self, index: int | None = None, branch: Branch = _ONE) -> None:
        super().__init__(index, branch)
        self.text = ""
        """The whole reply so far, thought included."""
        self.parts = ReplyParts("", "", False)
        self.stretches: list[Stretch] = []
        self.rounds: list[RoundMark] = []
        self.status: Content = _EMPTY
        self.trouble: Content | None = None
        self._answer = GrowingMarkdown()
        self._thought = GrowingText()
        self._origins: GrowingText | None = None
        self._heat: Heat | None = None

    @classmethod
    def kept(cls, message: Message, index: int, branch: Branch, *, model: str) -> "ReplyEntry":
        """One of the conversation, as it was when it ended. `model` is what is loaded now."""
        entry = cls(index, branch)
        entry.know_reply(message)
        entry.say(status_lines.kept_line(message, entry.rounds, is_told=entry.is_told, model=model))
        return entry

    @property
    def is_told(self) -> bool:
        """Whether it is known how it was decoded: a server does not say."""
        return bool(self.stretches) or any(mark.verified for mark in self.rounds)

    @property
    def answer(self) -> str:
        return self.parts.answer

    @property
    def has_thought(self) -> bool:
        return bool(self.parts.reasoning)

    @property
    def code_blocks(self) -> list[str]:
        return [match["code"].rstrip("\n") for match in _BLOCK.finditer(self.answer)]

    def go_on(self) -> None:
        """More of it is to come."""
        self.trouble, self.can_go_on = None, False
        self.changed()

    def write(self, text: str, stretches: Sequence[Stretch] = (), rounds: Sequence[RoundMark] = ()) -> None:
        """More of the reply."""
        self.stretches += stretches
        self.rounds += rounds
        if self._origins is not None:
            self._origins.grow(styled_pieces(text, stretches))
        if self._heat is not None:
            self._heat.add(rounds)
        self._become(self.text + text)

    def finish(self, text: str) -> None:
        """The reply is over, and this is all of it."""
        if text != self.text:
            self.stretches, self._origins = [], None
        self._become(text)
        self.parts = ReplyParts(self.parts.reasoning, self.parts.answer, False)
        self._answer.finish(self.parts.answer)

    def know_reply(self, message: Message) -> None:
        """What the conversation has kept of it."""
        self.can_regenerate = True
        self.finish(message.content)
        if message.trace is not None:
            self.stretches, self.rounds = list(message.trace.stretches), list(message.trace.rounds)
            self._origins = self._heat = None
        self.can_go_on = message.is_partial or bool(message.note)

    def say(self, line: str | Content) -> None:
        """The line below the reply."""
        self.status = Content(safe_line(line)) if isinstance(line, str) else line
        self.changed()

    def mark(self, cause: str, hint: str = "") -> None:
        """The reply is not what it should have been, and why."""
        self.trouble = Content.assemble((f"✗ {safe_line(cause)}", "$error"), f" {safe_line(hint)}" if hint else "")
        self.changed()

    def _become(self, text: str) -> None:
        before, self.text, self.parts = self.parts, text, split_reply(text)
        answer, thought = self.parts.answer, self.parts.reasoning
        if not answer.startswith(before.answer):
            self._answer = GrowingMarkdown(answer)
        elif len(answer) > len(before.answer):
            self._answer.grow(answer[len(before.answer) :])
        if not thought.startswith(before.reasoning):
            self._thought, before = GrowingText(), ReplyParts("", "", False)
        self._thought.grow([(thought[len(before.reasoning) :], _QUIET)])
        self.changed()

    def _draw(self, width: int) -> list[Content]:
        below = [*(self.trouble.wrap(width) if self.trouble else ()), *self._status_lines(width)]
        if self.shows_origins:
            return [*self._origin_lines(width), _EMPTY, *below]
        answer = self._answer.lines(width)
        return [*self._thought_lines(width), *answer, *([_EMPTY] if answer else []), *below]

    def _origin_lines(self, width: int) -> Iterable[Content]:
        if self._origins is None:
            self._origins = GrowingText()
            self._origins.grow(styled_pieces(self.text, self.stretches))
        self._heat = self._heat or Heat(self.rounds)
        yield from self._origins.lines(width)
        yield _EMPTY
        if not self.stretches:
            yield Content.styled("No token sources recorded.", _QUIET)
        yield from legend(self.stretches)
        if self.is_told and (lines := self._heat.lines(width)):
            yield from (_EMPTY, Content.styled("acceptance by draft position, over the reply", _QUIET), *lines)

    def _status_lines(self, width: int) -> list[Content]:
        lines = packed(self.status.split(_BETWEEN), width, between=_BETWEEN)
        return [line.stylize_before(_QUIET) for line in lines] + self._versions()

    def _thought_lines(self, width: int) -> Iterable[Content]:
        if not self.parts.reasoning and not self.parts.is_reasoning:
            return
        took_ms = thinking_ms(self.text, self.stretches, self.rounds)
        count = len(self.parts.reasoning.split())
        words = f"{numbers.grouped(count)} word{'s' * (count != 1)}"
        title = f"thinking … {words}" if self.parts.is_reasoning else f"thought {words}"
        title += f" · {numbers.duration(took_ms)}" if took_ms else ""
        mark = "▸" if self.is_folded else "▾"
        yield Content.assemble((f"{mark} {title}", Style(bold=True) + Style.from_meta({"act": "fold"})))
        lines = self._thought.lines(max(1, width - 2))
        if self.is_folded:
            lines = lines[-LIVE_THOUGHT_LINES:] if self.parts.is_reasoning else ()
        for line in lines:
            yield Content.assemble(("│ ", _FAINT), line)
        yield _EMPTY


def entry_of(message: Message, index: int, branch: Branch, *, model: str) -> Entry:
    if message.role == "user":
        return UserEntry(message.content, message.attachments, index, branch)
    return ReplyEntry.kept(message, index, branch, model=model)


def _attached(attachment: Attachment) -> str:
    return f"{safe_line(attachment.name)} · {numbers.count(len(attachment.text.splitlines()), 'line')}"
