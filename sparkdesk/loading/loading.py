"""Getting a pair ready, as events: its files made, its process started, its weights loaded."""

from collections.abc import Callable, Generator
from dataclasses import replace

from sparkdesk.chat_format.prompt import turn_end_tokens
from sparkdesk.config.paths import user_paths
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings, SpeculationSettings
from sparkdesk.errors import UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.fit import FreeMemory
from sparkdesk.library.model_dirs import mark_used
from sparkdesk.loading.choice import ChosenPair
from sparkdesk.loading.placement import fitted
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Loaded, Loading

_STAGES = {"target": "Loading the target", "draft": "Loading the draft", "warm-up": "Warming up"}


def open_pair(
    engine: EngineClient,
    pair: ChosenPair,
    *,
    how: LoadSettings,
    speculation: SpeculationSettings,
    ask_free_memory: Callable[[], FreeMemory] | None = None,
) -> Generator[Progress | Notice, None, ModelInfo]:
    """Everything up to a loaded pair. `how` says all but the paths, which the pair knows once it is prepared.

    `ask_room` says what is free once the pair that is loaded now is gone. Closing it early undoes what was begun.
    """
    files = yield from pair.prepare()
    if files.is_found and files.draft is not None:
        yield Notice(f"With the draft {files.draft.name}, which lies beside it; --drafter context goes without.")
    how, notice = fitted(files, how, ask_free_memory=ask_free_memory)
    if notice is not None:
        yield notice
    settings = replace(
        how,
        target_path=str(files.target),
        draft_path=str(files.draft) if files.draft is not None else None,
        drafter=files.drafter,
        most_threads=how.most_threads or pair.most_threads,
    )
    for event in engine.load(settings):
        if isinstance(event, Loaded):
            _check_length(event.model, speculation)
            mark_used(user_paths().last_used_file, [path for path in (files.target, files.draft) if path is not None])
            engine.end_replies_at(turn_end_tokens(event.model, engine.tokenize))
            if event.model.memory_note:
                yield Notice(event.model.memory_note)
            return engine.model or event.model
        yield _told(event)
    raise AssertionError("loading ends with Loaded")


def _told(event: Loading) -> Progress | Notice:
    if event.stage not in _STAGES:
        return Notice(event.stage)
    return Progress(_STAGES[event.stage], event.fraction, 1.0, "")


def _check_length(model: ModelInfo, speculation: SpeculationSettings) -> None:
    wanted, most = speculation.draft_length, model.block_size
    if wanted is not None and 0 < most < wanted:
        raise UsageError(f"A draft length of {wanted} is more than the {most} tokens this draft proposes at once.")
