"""The bench that the screen is given: the measurements of bench/ with the engine that also makes the replies."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sparkdesk.backend.shared_engine import SharedEngine
from sparkdesk.bench.requests import CardMade, SuiteAsked, SweepAsked
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.events import Notice, Progress
from sparkdesk.loading import bench_adapters
from sparkdesk.loading.choice import DEMO_NAME

if TYPE_CHECKING:
    from sparkdesk.bench.race import RaceEvent, RaceSettings
    from sparkdesk.bench.results import Comparison
    from sparkdesk.bench.run_store import KeptRun
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.bench.sweep import Swept, Tuned
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.loading.choice import PairFiles


class LoadedModels(Protocol):
    """What is asked of the backend whose engine is measured."""

    @property
    def name(self) -> str: ...

    @property
    def conversation(self) -> "Conversation": ...

    def files(self) -> "PairFiles":
        """Of the pair that is loaded."""
        ...


class LocalBench:
    """Satisfies ui.bench.protocol.Bench. Runs are kept in `folder`."""

    def __init__(self, loaded: LoadedModels, engine: SharedEngine, *, folder: Path) -> None:
        self._loaded, self._engine, self._folder = loaded, engine, folder

    @property
    def sampling(self) -> SamplingSettings:
        return self._loaded.conversation.settings.sampling

    def prompts(self) -> "Sequence[Prompt]":
        from sparkdesk.bench.suite import read_suite

        return read_suite(self._suite)

    def race(self, text: str, settings: "RaceSettings") -> "Iterator[RaceEvent]":
        from sparkdesk.bench.race import RACE_DOMAIN, race
        from sparkdesk.bench.suite import Prompt

        with self._engine.reserved():
            yield from race(
                self._engine,
                Prompt(RACE_DOMAIN, RACE_DOMAIN, text),
                settings,
                render=bench_adapters.renderer(self._engine, settings.sampling),
                judge=bench_adapters.judge(self._engine),
            )

    def run(self, asked: SuiteAsked) -> "Iterator[Progress | Notice | Comparison]":
        from sparkdesk.bench.comparison import ComparisonSettings, compare_replies
        from sparkdesk.bench.suite import choose, interleaved

        settings = ComparisonSettings(max_tokens=asked.max_tokens)
        chosen = interleaved(choose(self.prompts(), domains=asked.domains, per_domain=asked.per_domain))
        with self._engine.reserved():
            yield from compare_replies(
                self._engine,
                chosen,
                settings,
                render=bench_adapters.renderer(self._engine, settings.sampling),
                judge=bench_adapters.judge(self._engine),
            )

    def sweep(self, asked: SweepAsked) -> "Iterator[Progress | Notice | Swept | Tuned]":
        from sparkdesk.bench.suite import choose
        from sparkdesk.bench.sweep import sweep, tuned_replies

        chosen = choose(self.prompts(), domains=asked.domains, per_domain=1)
        render = bench_adapters.renderer(self._engine, SamplingSettings(temperature=0.0))
        with self._engine.reserved():
            yield from sweep(self._engine, chosen, max_tokens=asked.max_tokens, render=render)
            yield from tuned_replies(self._engine, chosen, max_tokens=asked.max_tokens, render=render)

    def keep(self, asked: SuiteAsked, comparisons: "Sequence[Comparison]", *, is_complete: bool) -> "KeptRun":
        from sparkdesk.bench.run_report import RunSettings, record
        from sparkdesk.bench.run_store import keep_run

        files = self._loaded.files().by_role
        settings = RunSettings(
            command=self._command(asked, files),
            suite=self._suite,
            temperature=0.0,
            max_tokens=asked.max_tokens,
            draft_length=None,
            repetitions=1,
        )
        model = self._engine.model
        assert model is not None, "what was measured was loaded"
        found = record(comparisons, settings=settings, model=model, files=files, is_complete=is_complete)
        return keep_run(found, self._folder, now=datetime.now())

    def runs(self) -> "Sequence[KeptRun]":
        from sparkdesk.bench.run_store import kept_runs

        return kept_runs(self._folder)

    def forget(self, run: "KeptRun") -> None:
        from sparkdesk.bench.run_store import forget_run

        forget_run(run)

    def card(self, run: "KeptRun") -> Iterator[Progress | CardMade]:
        from sparkdesk.bench.card import card_of, check_files, hashes
        from sparkdesk.bench.card_markdown import markdown
        from sparkdesk.bench.run_store import hashes_of, remember_hashes

        if hashes_of(run) is None:
            files = self._loaded.files().by_role
            check_files(run.found, files)
            run = remember_hashes(run, (yield from hashes(files)))
        card = card_of(run.found, hashes_of(run) or {})
        yield CardMade(run, card, markdown(card))

    def save(self, made: CardMade, out: Path) -> Sequence[Path]:
        from sparkdesk.bench.card import check_out, write_card

        check_out(out)
        return write_card(made.card, out)

    @property
    def _suite(self) -> str:
        """Spark Tiny knows too little for the default one."""
        from sparkdesk.bench.suite import DEFAULT, TINY

        return TINY if self._loaded.name == DEMO_NAME else DEFAULT

    def _command(self, asked: SuiteAsked, files: Mapping[str, Path]) -> str:
        """What measures the same on the command line; files by their names alone."""
        words = ["sparkdesk", "bench", "run"]
        if self._loaded.name != DEMO_NAME:
            words += [word for role, path in files.items() for word in (f"--{role}", path.name)]
        words += ["--suite", self._suite, "--domains", ",".join(asked.domains)]
        words += ["--limit", str(asked.per_domain)] if asked.per_domain is not None else []
        return shlex.join([*words, "--max-tokens", str(asked.max_tokens)])
