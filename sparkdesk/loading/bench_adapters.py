"""What bench/ needs of chat/, which it may not import: prompts as the model reads them, and a judge of replies."""

from typing import TYPE_CHECKING

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings

if TYPE_CHECKING:
    from sparkdesk.bench.comparison import Judge, Render
    from sparkdesk.chat.engine import Engine


def renderer(engine: "Engine", sampling: SamplingSettings) -> "Render":
    """From a text to the tokens of a conversation that begins with it."""
    from sparkdesk.chat.oneshot import prompt_of

    settings = ChatSettings(sampling=sampling)
    return lambda text: prompt_of(engine, text, settings=settings)


def judge(engine: "Engine") -> "Judge":
    """Whether two greedy replies say the same; asks the engine where they part."""
    from sparkdesk.bench.results import Judgement, Reply
    from sparkdesk.chat.verdict import Answered, compare_answers

    def judged(prompt: tuple[int, ...], plain: Reply, speculative: Reply) -> Judgement:
        verdict = compare_answers(
            engine,
            prompt,
            plain=Answered(plain.tokens, plain.stop_reason),
            speculative=Answered(speculative.tokens, speculative.stop_reason),
        )
        return Judgement(verdict.kind, verdict.position, verdict.margin, verdict.noise)

    return judged
