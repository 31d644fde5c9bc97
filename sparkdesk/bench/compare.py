"""Several drafters of one target on the same prompts: accepted length, cost by length, and speed beside plain decoding.

First each drafter answers at every length (what passes cost) and at its full block (how many of its tokens are right);
from that comes its best fixed length. Then every prompt is answered plainly, with each drafter's own tuned lengths and
with that best fixed one, in turn, so that a machine that slows down slows all of them.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from sparkdesk.bench.comparison import GREEDY, Judge, Render, seed_of, warm_up
from sparkdesk.bench.curves import Curves, curves_of, round_ms
from sparkdesk.bench.engine import Clock, Engine, Returning, fresh_rounds
from sparkdesk.bench.results import Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull
from sparkdesk.events import Notice, Progress

STEP = "Comparing drafters"
PLAIN, COST, FULL, TUNED, FIXED = "plain", "cost", "full", "tuned", "fixed"
_COST_TOKENS, _CHECKED_TOKENS = 32, 64
_OFF = SpeculationSettings(is_enabled=False)


@dataclass(frozen=True, slots=True)
class Arm:
    """A drafter, loaded with the target."""

    name: str
    engine: Engine
    judge: Judge
    """Of greedy replies, with this engine."""

    @property
    def block_size(self) -> int:
        assert self.engine.model is not None
        return self.engine.model.block_size


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """How all of them answer."""

    max_tokens: int = 256
    sampling: SamplingSettings = GREEDY

    @property
    def is_greedy(self) -> bool:
        return self.sampling.temperature <= 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of a comparison."""

    arm: str
    """The drafter's name; of a plain reply, that of the drafter it stands beside, "" where it stands beside all."""
    how: str
    """PLAIN, COST, FULL, TUNED or FIXED."""
    length: int
    """Draft length; 0 for plain and tuned replies."""
    prompt: Prompt
    reply: Reply
    judgement: Judgement | None = None
    """None where replies are sampled, and for plain ones."""


Steps = Generator[Progress | Notice | Answer, None, None]


def compare(
    plain: Engine,
    arms: Sequence[Arm],
    prompts: Sequence[Prompt],
    settings: CompareSettings,
    *,
    render: Render,
    beside: str = "",
    clock: Clock = perf_counter,
) -> Steps:
    """`plain` answers without a drafter; `beside` names the drafter whose engine it is, where it is one's.

    A prompt longer than the context is left out with a notice. Raises EngineError.
    """
    yield from _Run(plain, arms, prompts, settings, render, beside, clock).steps()


def best_fixed_length(curves: Curves, survival: Sequence[float]) -> int:
    """The length, at least 1, with most tokens per millisecond; `survival`: chances that place 1, 2, ... and all before
    it are accepted. The full block where costs were not measured."""
    speeds: dict[int, float] = {}
    for length in range(1, len(survival) + 1):
        cost_ms = round_ms(curves, length)
        if cost_ms:
            speeds[length] = (1.0 + sum(survival[:length])) / cost_ms
    return max(speeds, key=speeds.__getitem__) if speeds else max(1, len(survival))


def survival_of(replies: Iterable[Reply], block_size: int) -> tuple[float, ...]:
    """(block,) share of the rounds whose tokens up to place 1, 2, ... were accepted, of rounds with a whole block."""
    accepted = [done.accepted for reply in replies for done in reply.rounds if done.drafted == block_size]
    places = range(1, block_size + 1)
    return tuple(sum(each >= place for each in accepted) / len(accepted) if accepted else 0.0 for place in places)


@dataclass
class _Run:
    """One comparison under way."""

    plain: Engine
    arms: Sequence[Arm]
    prompts: Sequence[Prompt]
    settings: CompareSettings
    render: Render
    beside: str
    clock: Clock

    def __post_init__(self) -> None:
        self.full: dict[tuple[str, str], Reply] = {}
        self.seen: dict[str, list[Reply]] = {arm.name: [] for arm in self.arms}
        self.done = 0
        costs = sum(arm.block_size for arm in self.arms)
        self.total = costs + len(self.prompts) * (1 + 3 * len(self.arms))
        self.began_s = self.clock()

    def steps(self) -> Steps:
        if not self.prompts:
            return
        engines = {id(engine): engine for engine in (self.plain, *(arm.engine for arm in self.arms))}
        for engine in engines.values():
            for _ in warm_up(engine, self.prompts[0], SpeculationSettings(), render=self.render):
                yield self.at("warming up")
        yield from self.costs()
        yield from self.blocks()
        lengths = {arm.name: self.best_length(arm) for arm in self.arms}
        if not self.settings.is_greedy:
            yield from self.checks()
        for turn, prompt in enumerate(self.prompts):
            yield from self.whole(prompt, lengths, turn)

    def costs(self) -> Steps:
        """Every length once, the drafters in turn."""
        prompt = self.prompts[0]
        for length in range(1, max(arm.block_size for arm in self.arms) + 1):
            for arm in self.arms:
                if length <= arm.block_size:
                    yield from self.ask(arm, COST, prompt, length, most=_COST_TOKENS)

    def blocks(self) -> Steps:
        for prompt in self.prompts:
            for arm in self.arms:
                yield from self.ask(arm, FULL, prompt, arm.block_size)

    def checks(self) -> Steps:
        """Sampled texts differ: whether a drafter changes the text is seen on a greedy one."""
        prompt = self.prompts[0]
        found: list[Answer] = []
        yield from self.collect(found, None, PLAIN, prompt, 0, most=_CHECKED_TOKENS, sampling=GREEDY)
        for arm in self.arms if found else ():
            drafted: list[Answer] = []
            yield from self.collect(drafted, arm, COST, prompt, arm.block_size, most=_CHECKED_TOKENS, sampling=GREEDY)
            for each in drafted:
                tokens = prompt.tokens or self.render(prompt.text)
                yield replace(each, judgement=arm.judge(tokens, found[0].reply, each.reply))

    def whole(self, prompt: Prompt, lengths: dict[str, int], turn: int) -> Steps:
        """One prompt, all ways to answer it in turn, each prompt beginning with another."""
        ways: list[tuple[Arm | None, str, int]] = [(None, PLAIN, 0)]
        ways += [(arm, TUNED, 0) for arm in self.arms]
        ways += [(arm, FIXED, lengths[arm.name]) for arm in self.arms]
        found: list[Answer] = []
        start = turn % len(ways)
        for arm, how, length in (*ways[start:], *ways[:start]):
            yield from self.collect(found, arm, how, prompt, length)
        plain = next((each.reply for each in found if each.how == PLAIN), None)
        for each in found:
            yield each if plain is None else self.judged(each, plain)
        if plain is not None and self.settings.is_greedy:
            for arm in self.arms:
                if (reply := self.full.get((arm.name, prompt.id))) is not None:
                    yield self.judged(Answer(arm.name, FULL, arm.block_size, prompt, reply), plain)

    def judged(self, answer: Answer, plain: Reply) -> Answer:
        arm = next((arm for arm in self.arms if arm.name == answer.arm), None)
        if answer.how == PLAIN or arm is None or not self.settings.is_greedy:
            return answer
        tokens = answer.prompt.tokens or self.render(answer.prompt.text)
        return replace(answer, judgement=arm.judge(tokens, plain, answer.reply))

    def ask(self, arm: Arm, how: str, prompt: Prompt, length: int, *, most: int = 0) -> Steps:
        """Of the full block, the answer comes later where it is to be judged: the plain one is not there yet."""
        found: list[Answer] = []
        yield from self.collect(found, arm, how, prompt, length, most=most)
        for each in found:
            self.seen[arm.name].append(each.reply)
            if how == FULL:
                self.full[arm.name, prompt.id] = each.reply
            if how != FULL or not self.settings.is_greedy:
                yield each

    def collect(
        self,
        found: list[Answer],
        arm: Arm | None,
        how: str,
        prompt: Prompt,
        length: int,
        *,
        most: int = 0,
        sampling: SamplingSettings | None = None,
    ) -> Generator[Progress | Notice, None, None]:
        """Append the answer, if there is one."""
        name = arm.name if arm is not None else PLAIN
        engine = arm.engine if arm is not None else self.plain
        usual = self.settings.sampling
        seeded = usual if self.settings.is_greedy else replace(usual, seed=seed_of(prompt, 0))
        settings = GenerationSettings(
            max_tokens=min(most or self.settings.max_tokens, self.settings.max_tokens),
            sampling=sampling or seeded,
            speculation=_OFF if arm is None else SpeculationSettings(draft_length=length or None),
        )
        tokens = prompt.tokens or self.render(prompt.text)
        steps = Returning(fresh_rounds(engine, tokens, settings, ignore_end=bool(prompt.tokens), clock=self.clock))
        at = self.at(f"{name}, {prompt.id}")
        yield at
        try:
            for _ in steps:
                yield at
            found.append(Answer(self.beside if arm is None else name, how, length, prompt, steps.result))
        except ContextFull as error:
            yield Notice(f"{prompt.id} is left out: {error.message}")
        self.done += 1

    def best_length(self, arm: Arm) -> int:
        replies = self.seen[arm.name]
        fulls = [reply for (name, _), reply in self.full.items() if name == arm.name]
        return best_fixed_length(curves_of(reply.rounds for reply in replies), survival_of(fulls, arm.block_size))

    def at(self, what: str) -> Progress:
        elapsed_s = self.clock() - self.began_s
        rate = self.done / elapsed_s if elapsed_s > 0 else 0.0
        return Progress(f"{STEP}: {what}", min(self.done, self.total), self.total, "replies", rate)
