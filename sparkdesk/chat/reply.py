"""One reply in the making: rounds become text and figures. Knows nothing of what was said before."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from sparkdesk.chat.attribution import Attribution
from sparkdesk.chat.engine import Engine
from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyFinished
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import PLAIN, Stretch
from sparkdesk.chat_format.chat_format import detect_chat_format
from sparkdesk.chat_format.text_stream import TextStream
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone

_NO_ROUND = Round((), ())
ProgressEvent = PrefillAdvanced | ReplyAdvanced


class Reply:
    """What came so far can be read at any time, also after an error."""

    def __init__(self, prompt: Sequence[int], *, begun: str = "", opened: str = "") -> None:
        """`begun` is a reply that is gone on with. `opened` is an opening tag of reasoning that stands in the prompt:
        it comes with the first text, so that a reply says what it is wherever it is shown."""
        self.prompt = tuple(prompt)
        self.begun = begun
        self.text = begun
        self.tokens: tuple[int, ...] = ()
        self.stats = ReplyStats(prompt_tokens=len(self.prompt))
        self._opened = opened
        self._stream = TextStream()
        self._attribution = Attribution()
        self._is_speculating = False
        self._whole = 0, len(begun)
        """Up to the last token that ended with a whole character: how many tokens, and the length of the text."""

    def events(self, engine: Engine, settings: ChatSettings) -> Generator[ProgressEvent | ReplyFinished, None, None]:
        """Progress, and ReplyFinished last. Raises EngineError; text held back is then still to be had from `flush`."""
        rounds = _generate(engine, self.prompt, settings)
        with closing(rounds):
            for event in rounds:
                match event:
                    case Prefilling(progress):
                        yield self._prefilled(progress)
                    case RoundDone():
                        yield self._advanced(event)
                    case Finished(stop_reason, stats):
                        self.stats = stats
                        yield from self.flush() if stop_reason != "end" else self._finish()
                        yield ReplyFinished(self.text, self.tokens, stop_reason, stats)

    @property
    def whole_tokens(self) -> tuple[int, ...] | None:
        """The tokens that say exactly the text; None where there are none, because the last one said more."""
        count, length = self._whole
        return self.tokens[:count] if length == len(self.text) else None

    def flush(self) -> Generator[ReplyAdvanced, None, None]:
        """Of a reply that was cut: the text that waited for its next character, in an event without tokens."""
        yield from self._told(self._stream.leave_off())

    def _finish(self) -> Generator[ReplyAdvanced, None, None]:
        yield from self._told(self._stream.finish())
        self._whole = len(self.tokens), len(self.text)

    def _told(self, rest: str) -> Generator[ReplyAdvanced, None, None]:
        if rest:
            self.text += rest
            stretches = self._attribution.take(len(rest))
            yield ReplyAdvanced(rest, _NO_ROUND, self.stats, self._is_speculating, stretches)

    def _prefilled(self, progress: Prefilled) -> PrefillAdvanced:
        prefilled = progress.done - progress.reused
        self.stats = replace(self.stats, prefilled_tokens=prefilled, prefill_ms=progress.elapsed_ms)
        return PrefillAdvanced(progress.done, progress.total, progress.reused)

    def _advanced(self, event: RoundDone) -> ReplyAdvanced:
        shown = self._stream.feed(b"".join(event.pieces))
        self._attribution.add(event.pieces, event.round)
        self.text += self._opened + shown
        self.tokens += event.round.tokens
        self.stats = self.stats.after(event.round)
        self._is_speculating = event.is_speculating
        if not self._stream.has_half:
            self._whole = len(self.tokens), len(self.text) + self._stream.held
        stretches = self._attribution.take(len(shown))
        if self._opened:
            opened, self._opened = self._opened, ""
            shown, stretches = opened + shown, (Stretch(len(opened), PLAIN), *stretches)
        return ReplyAdvanced(shown, event.round, self.stats, event.is_speculating, stretches)


def _generate(
    engine: Engine, prompt: tuple[int, ...], settings: ChatSettings
) -> Generator[Prefilling | RoundDone | Finished, None, None]:
    generation, model = settings.generation(), engine.model
    if settings.is_raw or model is None:
        return engine.generate(prompt, generation, settings.ignores_end)
    writes_control = detect_chat_format(model.chat_template).writes_control
    return engine.generate(prompt, generation, settings.ignores_end, writes_control)
