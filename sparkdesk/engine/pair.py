"""Opens a target and, where there is one that fits, its draft; closes them in the order llama.cpp needs."""

import contextlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

from sparkdesk.engine import llama
from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.drafters.opening import DraftPlace, DraftUnfit, OpenedDraft, open_drafter, open_mtp
from sparkdesk.engine.grammar_prefilter import constraint_of
from sparkdesk.engine.interfaces import BATCH_ROWS, VERIFIED_ROWS, DrafterPart
from sparkdesk.engine.kv_snapshots import KvSnapshots
from sparkdesk.engine.llama import F16, Cards, Context, GraphNorm, Model, graphics_cards
from sparkdesk.engine.model_info import ModelInfo, recommended_by
from sparkdesk.engine.probe import LEAST_PROBE_SECONDS, PROBE_SECONDS, probe_costs, probe_threads
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import AUTOMATIC, LOOKUP, MTP, GrammarSettings, LoadSettings
from sparkdesk.engine.target import Target
from sparkdesk.engine.threads import ThreadTimes, candidates
from sparkdesk.engine.tie_check import Margin, measure
from sparkdesk.engine.tokenizer import Tokenizer
from sparkdesk.engine.vocabulary import Vocabulary
from sparkdesk.engine.window import plan_window
from sparkdesk.errors import EngineError, ModelLoadError
from sparkdesk.gguf import pairing
from sparkdesk.gguf.architectures import Rollback, architecture_named
from sparkdesk.gguf.header import GgufFile, read_gguf
from sparkdesk.machine.cores import read_cores
from sparkdesk.machine.hardware import read_memory

_SAVED_SHARE, _MOST_SAVED_BYTES = 0.15, 4_000_000_000
"""Of the memory that is free once the pair is loaded."""

_THREADS_SHARE = 0.3
"""Of the warm-up, that trying numbers of threads takes."""

ProgressCallback = Callable[[str, float], None]
Recall = Callable[[ModelInfo], Mapping[str, Any] | None]


class Pair:
    """A loaded target with its drafter; the engine's one resource. Use as a context manager, or close it."""

    def __init__(self, stack: ExitStack, settings: LoadSettings) -> None:
        self._stack = stack
        self.settings = settings
        self.tuner = Tuner(0)
        self.saved = KvSnapshots(0)
        self.drafter: DrafterPart | None = None
        self.draft_name: str | None = None
        self.drafter_kind = ""
        self.draft_problem = ""
        self._contexts: list[Context] = []

    @classmethod
    def open(
        cls,
        settings: LoadSettings,
        *,
        on_progress: ProgressCallback | None = None,
        recall: Recall = lambda info: None,
    ) -> "Pair":
        """Load and warm up. `on_progress` gets a stage ("target", "draft", "warm-up") and a fraction.

        `recall` may know a state of the tuner from another session; one that does not fit is passed over.

        Raises ModelLoadError or OutOfMemory for the target. A draft that cannot be used is no error: the target still
        answers, and `info.draft_problem` says why it does so alone.
        """
        report = on_progress or (lambda stage, fraction: None)
        with ExitStack() as stack:
            pair = cls(stack, settings)
            pair._load(report)
            pair._warm_up(report, recall)
            pair.saved = KvSnapshots(_budget_bytes(settings.saved_states_bytes))
            pair._stack = stack.pop_all()
            return pair

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> "Pair":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def info(self) -> ModelInfo:
        """Made once: finding the end tokens asks about every token of the vocabulary."""
        model = self._model
        return ModelInfo(
            name=self._file.name,
            architecture=self._file.architecture,
            vocabulary_size=model.vocabulary_size,
            parameter_count=model.parameter_count,
            size_bytes=model.size_bytes,
            context_tokens=self.target.context_tokens,
            trained_context_tokens=model.trained_context_tokens,
            chat_template=model.chat_template,
            bos_piece=model.special_piece("bos"),
            eos_piece=model.special_piece("eos"),
            end_tokens=self._tokenizer.end_tokens,
            control_pieces=self._tokenizer.control_pieces,
            devices=_used_devices(self.settings.gpu_layers),
            gpu_layers=_layers_on_gpu(self.settings.gpu_layers, model.layer_count),
            threads=self._threads,
            batch_threads=self._batch_threads,
            cpu_experts=max(0, self.settings.cpu_experts) if llama.supports_gpu() else 0,
            cache_type=self.settings.cache_type,
            rollback_states=self.target.rollback_rows if self.target.needs_checkpoints else 0,
            draft_name=self.draft_name,
            block_size=self.drafter.block_size if self.drafter else 0,
            drafter_kind=self.drafter_kind,
            draft_problem=self.draft_problem,
            memory_note=self._window.note,
            uses_safe_buffers=not self.settings.use_extra_buffers,
            recommended=recommended_by(self._file.metadata),
        )

    def state(self) -> dict[str, object]:
        """What is worth remembering of this pair until the next session, for JSON."""
        return {
            **self.tuner.state(),
            "threads": self._thread_times.state(),
            "learned_with_threads": self._threads,
        }

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        return self._tokenizer.tokenize(text, parse_special=parse_special)

    def piece(self, token: int, *, show_control: bool = False) -> bytes:
        """The bytes of a token; b"" for control tokens unless they are asked for."""
        return self._tokenizer.piece(token, show_control=show_control)

    def constraint(self, grammar: GrammarSettings) -> ConstraintPart:
        """What `grammar` lets a reply say, from its first token on. Raises EngineError where it cannot be used."""
        return constraint_of(self._model, grammar, self._vocabulary)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self._model)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        model = self._model
        spelled_out = partial(model.piece, show_control=True)
        return Vocabulary(model.vocabulary_size, spelled_out, end_tokens=self.info.end_tokens)

    def compare(self, tokens: tuple[int, ...], first: int, second: int) -> Margin:
        """How sure the target is of `first` against `second` after `tokens`, and how noisy that figure is."""
        return measure(self.target, self.drafter, tokens=tokens, first=first, second=second)

    def _load(self, report: ProgressCallback) -> None:
        path = Path(self.settings.target_path)
        self._file = read_gguf(path)
        if problem := pairing.target_problem(self._file):
            raise ModelLoadError(problem)
        draft = self._usable_draft()
        self._model = self._open_model(path, gpu_layers=self.settings.gpu_layers, report=report, stage="target")
        self._choose_threads()
        tokens = self.settings.context_tokens or self._model.trained_context_tokens
        block_size = pairing.block_size(draft) if draft else 0
        self._window = plan_window(
            self._file,
            window=self._model.window_tokens,
            context_tokens=tokens,
            free_bytes=_free_bytes(self.settings.gpu_layers),
        )
        context = self._open_context(
            self._model,
            tokens=tokens,
            outputs=max(VERIFIED_ROWS, block_size + 1),
            keeps_whole_window=self._window.keeps_whole,
            rollback_states=self._rollback_states(),
            cache_type=self.settings.cache_type,
        )
        opened = self._open_draft(draft, context, report=report)
        self.target = Target(context, opened.target_layers, gives_hidden_rows=opened.needs_hidden_rows)

    def _rollback_states(self) -> int | None:
        """Earlier states that the target's context is asked to keep; None where it has no recurrent layers."""
        rollback = architecture_named(self._file.architecture).rollback
        if rollback is Rollback.RECURRENT_STATES:
            return max(0, self.settings.rollback_states)
        return 0 if self._model.has_recurrent_layers else None

    def _usable_draft(self) -> GgufFile | None:
        if self.settings.drafter == LOOKUP or (self.settings.draft_path is None and self.settings.drafter != MTP):
            return None
        missing = llama.missing_symbols()
        if missing:
            self.draft_problem = (
                f"This build of llama.cpp lacks {missing[0]}, which speculation needs. "
                f"Install llama-cpp-python {llama.TESTED_VERSION}."
            )
            return None
        if self.settings.drafter == MTP or self.settings.draft_path is None:
            return None
        try:
            draft = read_gguf(Path(self.settings.draft_path))
        except EngineError as error:
            self.draft_problem = str(error)
            return None
        self.draft_problem = pairing.problem(self._file, draft)
        return None if self.draft_problem else draft

    def _open_draft(self, file: GgufFile | None, context: Context, *, report: ProgressCallback) -> OpenedDraft:
        """Open the drafter beside the target's context; where there is none that can be used, the result is empty."""
        place = DraftPlace(self._file, self._model, context, self._open_context)
        try:
            if self._wants_mtp:
                opened, name, kind = open_mtp(place), f"{self._file.name} (MTP)", MTP
            elif file is not None:
                layers = self.settings.draft_gpu_layers
                kind = pairing.draft_kind(file).value
                model = self._open_model(
                    file.path, gpu_layers=layers, report=report, stage="draft", loads_mtp=kind == MTP
                )
                opened, name = open_drafter(file, model, place), file.name
            else:
                return OpenedDraft()
        except DraftUnfit as problem:
            self.draft_problem = str(problem)
            return OpenedDraft()
        except EngineError as error:
            self.draft_problem = f"The draft cannot be loaded: {error}"
            return OpenedDraft()
        self.drafter, self.draft_name, self.drafter_kind = opened.drafter, name, kind
        return opened

    @property
    def _wants_mtp(self) -> bool:
        return self.settings.drafter == MTP and not self.draft_problem

    def _open_model(
        self, path: Path, *, gpu_layers: int, report: ProgressCallback, stage: str, loads_mtp: bool = False
    ) -> Model:
        return self._stack.enter_context(
            closing(
                Model(
                    path,
                    gpu_layers=gpu_layers,
                    use_extra_buffers=self.settings.use_extra_buffers,
                    on_progress=lambda fraction: report(stage, fraction),
                    cpu_experts=self.settings.cpu_experts if stage == "target" else 0,
                    cards=self._cards(stage),
                    loads_mtp=loads_mtp or (self._wants_mtp and stage == "target"),
                )
            )
        )

    def _cards(self, stage: str) -> Cards:
        """The draft lies whole on the card of the target's last layers: their numbers are what it reads."""
        count = len(graphics_cards())
        if not count:
            return Cards()
        wanted = Cards(self.settings.tensor_split, self.settings.main_gpu)
        return wanted if stage == "target" else wanted.of_draft(count)

    def _open_context(
        self,
        model: Model,
        *,
        tokens: int,
        outputs: int,
        batch_rows: int = BATCH_ROWS,
        other: Context | None = None,
        keeps_whole_window: bool = True,
        rollback_states: int | None = None,
        cache_type: str = F16,
        is_mtp: bool = False,
        graph_norm: GraphNorm | None = None,
    ) -> Context:
        context = self._stack.enter_context(
            closing(
                Context(
                    model,
                    context_tokens=tokens,
                    threads=self._threads,
                    batch_threads=self._batch_threads,
                    outputs_max=outputs,
                    batch_rows=batch_rows,
                    other=other,
                    keeps_whole_window=keeps_whole_window,
                    rollback_states=rollback_states,
                    cache_type=cache_type,
                    is_mtp=is_mtp,
                    graph_norm=graph_norm,
                )
            )
        )
        self._contexts.append(context)
        return context

    def _choose_threads(self) -> None:
        """The number to begin with, and those to try."""
        cores = read_cores().usable
        most = min(cores, self.settings.most_threads or cores)
        is_on_card = 0 < self._model.layer_count <= _layers_on_gpu(self.settings.gpu_layers, self._model.layer_count)
        numbers = (self.settings.threads,) if self.settings.threads else candidates(most, is_on_card=is_on_card)
        self._thread_times = ThreadTimes(numbers)
        self._threads, self._batch_threads = numbers[0], self.settings.threads or cores

    def _use_threads(self, number: int) -> None:
        self._threads = number
        for context in self._contexts:
            context.use_threads(number)

    def _warm_up(self, report: ProgressCallback, recall: Recall) -> None:
        """Allocates what is allocated late, and shows what steps cost here."""
        report("warm-up", 0.0)
        block_size = self.drafter.block_size if self.drafter else 0
        state, began = recall(self.info) or {}, perf_counter()
        self.tuner = Tuner(block_size)
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            self._thread_times.restore(state["threads"])
        for share in probe_threads(self, self._thread_times, self._use_threads):
            report("warm-up", _THREADS_SHARE * share)
        del self.info  # it was made before the number of threads was chosen
        is_as_learned = state.get("learned_with_threads", self._threads) == self._threads
        tuner = _remembering_tuner(block_size, state if is_as_learned else {})
        self.tuner = Tuner(block_size)
        seconds = max(LEAST_PROBE_SECONDS, PROBE_SECONDS - (perf_counter() - began))
        for share in probe_costs(self, tuner, seconds=seconds):
            report("warm-up", _THREADS_SHARE + (1 - _THREADS_SHARE) * share)
        self.tuner = tuner
        report("warm-up", 1.0)


def _remembering_tuner(block_size: int, state: Mapping[str, Any]) -> Tuner:
    tuner = Tuner(block_size)
    if state:
        try:
            tuner.restore(state)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            return Tuner(block_size)  # half restored would be worse than nothing known
    return tuner


def _used_devices(gpu_layers: int) -> tuple[str, ...]:
    found = [device.description or device.name for device in llama.devices() if "gpu" in device.kind]
    return tuple(found) if found and gpu_layers != 0 else ("CPU",)


def _free_bytes(gpu_layers: int) -> int:
    """Memory for a KV cache, where it will lie; 0 where nobody says."""
    cards = [device for device in llama.devices() if "gpu" in device.kind]
    if cards and gpu_layers != 0:
        return sum(device.free_bytes for device in cards)
    return read_memory().available_bytes


def _budget_bytes(asked: int) -> int:
    """For conversations put aside: always in the machine's own memory, also where the caches are on a card."""
    if asked != AUTOMATIC:
        return asked
    return min(_MOST_SAVED_BYTES, int(_SAVED_SHARE * read_memory().available_bytes))


def _layers_on_gpu(asked: int, layer_count: int) -> int:
    if not llama.supports_gpu():
        return 0
    return layer_count if asked < 0 else min(asked, layer_count)
