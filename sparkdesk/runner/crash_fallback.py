"""The load attempts to make, in order, when the one before crashed. Pure: starts nothing."""

from dataclasses import dataclass, replace

from sparkdesk.engine.settings import MTP, LoadSettings
from sparkdesk.errors import EngineCrashed
from sparkdesk.runner.crash import LOADING_TARGET, ProcessExit

WITHOUT_REPACKING = "without repacked weights, which is slower but safe"
WITHOUT_DRAFT = "without the draft"
_HINT = "The model file may be damaged, or llama-cpp-python does not fit this machine: run `sparkdesk doctor`."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way of loading."""

    settings: LoadSettings
    way: str = ""
    """How it differs from what was asked for, in words that follow "trying again"."""

    def notice(self, failure: ProcessExit) -> str:
        return f"The engine crashed {failure.moment} ({failure.signal_name}); trying again {self.way}"

    def may_help(self, failures: list[ProcessExit]) -> bool:
        """A draft that was not even looked at is not to blame."""
        return self.way != WITHOUT_DRAFT or any(failure.activity != LOADING_TARGET for failure in failures)


def attempts(settings: LoadSettings, *, needs_safe_buffers: bool) -> list[Attempt]:
    """What was asked for comes first, unless it is known to crash here.

    The second covers AMX code that some compilers get wrong, the third a draft that llama.cpp stumbles over: whatever
    is wrong with a draft, its target still answers.
    """
    safe = replace(settings, use_extra_buffers=False)
    first = Attempt(safe if needs_safe_buffers else settings)
    plan = [first]
    if first.settings.use_extra_buffers:
        plan.append(Attempt(safe, WITHOUT_REPACKING))
    if settings.draft_path is not None or settings.drafter == MTP:
        plan.append(Attempt(replace(first.settings, draft_path=None, drafter=""), WITHOUT_DRAFT))
    return plan


def all_attempts_failed(failures: list[tuple[Attempt, ProcessExit]]) -> EngineCrashed:
    """Names every way that was tried."""
    (_, first), *others = failures
    again = "".join(f" And again, {attempt.way}: {failure.sentence()}" for attempt, failure in others)
    hint = _HINT if others else str(first.error().hint)
    return EngineCrashed(f"{first.sentence().rstrip('.')}.{again}", hint)
