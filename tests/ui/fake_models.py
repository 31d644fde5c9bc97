"""A shelf without disk or hub: a scripted library, forecasts on a machine written down here, and work at a pace."""

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkdesk.builder.catalog_state import ABSENT, READY, BuildJob, Contents, JobResult, Listed
from sparkdesk.builder.estimate import Forecast, Option
from sparkdesk.catalog import read_catalog
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import SILENCE, Journey, Notice, Progress, Report
from sparkdesk.fit import FreeMemory, ModelSize, Plan, plan_load, size_from_config
from sparkdesk.gguf.header import GgufFile
from sparkdesk.hub.repository import FoundModel
from sparkdesk.hub.search import Hit
from sparkdesk.library.model import DRAFT, OTHER, TARGET, Library, Model, Pair, Partial
from sparkdesk.library.model_dirs import FOLDER, HUB, OURS, Place
from sparkdesk.library.removal import Removal

GB = 1_000_000_000
OUR_PLACE, HUB_PLACE, OWN_PLACE = Place(Path("/m"), OURS), Place(Path("/hub"), HUB), Place(Path("/own"), FOLDER)
CONFIG = {
    "hidden_size": 4096,
    "num_hidden_layers": 36,
    "vocab_size": 151_936,
    "intermediate_size": 12_288,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
}
FILES = {"Q8_0": 8.7 * GB, "Q6_K": 6.7 * GB, "Q4_K_M": 5.0 * GB, "Q3_K_M": 4.1 * GB}


def model(
    name: str, role: str, size_bytes: float, quantization: str, place: Place = OUR_PLACE, **others: object
) -> Model:
    path = place.folder / f"{name}.gguf"
    header = GgufFile(
        path,
        {
            "general.architecture": "qwen3",
            "general.license": "apache-2.0",
            "qwen3.block_count": 36,
            "qwen3.context_length": 40_960,
        },
        {},
    )
    made = Model(name, path, (path,), place, role, int(size_bytes), quantization, 8_190_000_000, header=header)
    return replace(made, **others)  # type: ignore[arg-type]  # fields of Model


TARGET_8B = model(
    "Qwen3-8B-Q4_K_M", TARGET, 5.0 * GB, "Q4_K_M", HUB_PLACE, repo="Qwen/Qwen3-8B-GGUF", last_used_s=1.7e9
)
DRAFT_8B = model("Qwen3-8B-DSpark-Q8_0", DRAFT, 1.2 * GB, "Q8_0", last_used_s=1.7e9, parameter_count=1_130_000_000)
PAIR_8B = Pair("qwen3-8b", TARGET_8B, DRAFT_8B, Path("/m/qwen3-8b"), "Q4_K_M")
LONE = model("Llama-like-4B-Q8_0", TARGET, 4.3 * GB, "Q8_0", OWN_PLACE)
BROKEN = model(
    "half", OTHER, 1.1 * GB, "", OWN_PLACE, problem="/own/half.gguf is cut short: tensor 'x' ends at byte 5."
)
CUT = Partial(
    HUB_PLACE.folder / "models--Qwen--Qwen3-4B-GGUF" / "blobs" / f"{'ab' * 32}.incomplete",
    700_000_000,
    HUB_PLACE,
    False,
)
LEFT = Partial(Path("/m/.tiny.part"), 12_000_000, OUR_PLACE, False)
FULL = Library((TARGET_8B, DRAFT_8B, LONE, BROKEN), (PAIR_8B,), (CUT, LEFT), (OUR_PLACE, HUB_PLACE, OWN_PLACE))
HITS = [
    Hit("target", FoundModel("Qwen/Qwen3-8B-GGUF", ("qwen3",), ("gguf", "license:apache-2.0"), 54_096, False), True),
    Hit(
        "draft",
        FoundModel("deepseek-ai/dspark_qwen3_8b_block7", (), ("base_model:Qwen/Qwen3-8B",), 7_000, False),
        False,
    ),
    Hit("target", FoundModel("google/gated-GGUF", ("gemma4",), ("gguf",), 99, True), True),
]
BUILD: tuple[Report, ...] = (
    Progress("Looking at Qwen3-8B-Q4_K_M.gguf", 1e6, 0, "bytes"),
    Notice("Q4_K_M: 9.7 GB to download. It takes 7.8 GB for 4,096 tokens; 24.5 GB are free."),
    *(
        Progress(
            f"Downloading {name} ({i} of 2)", done * GB, 5 * GB, "bytes", 48e6,
            Progress("All files", (5 * (i - 1) + done) * GB, 10 * GB, "bytes", 48e6),
        )
        for i, name in enumerate(("Qwen3-8B-Q4_K_M.gguf", "model.safetensors"), 1)
        for done in range(6)
    ),
    *(Progress("Converting the draft", done, 62, "tensors", 31.0) for done in range(0, 63, 31)),
    Progress("Loading the target", 1, 1, ""),
    *(Progress("Trying the pair", done, 3, "prompts") for done in range(3)),
)  # fmt: skip


@dataclass
class ModelsScript:
    """What the fake does."""

    library: Library = field(default_factory=lambda: FULL)
    room: FreeMemory = field(default_factory=lambda: FreeMemory(16 * GB, 12 * GB))
    build: tuple[Report, ...] = BUILD
    pause_s: float = 0.0
    is_gated: bool = False
    """Go one event further only when `let` allows it."""
    ask_error: SparkDeskError | None = None
    search_error: SparkDeskError | None = None
    get_error: Exception | None = None
    """Raised once; the next try gets through."""
    removal_error: SparkDeskError | None = None
    catalogue_problem: str = ""


class FakeModels:
    bundled = "Spark Tiny"

    def __init__(self, script: ModelsScript | None = None) -> None:
        self.script = script or ModelsScript()
        self.orders: list[BuildJob] = []
        self.resumed: list[Partial] = []
        self.removed: list[Removal] = []
        self.closed = 0
        """Journeys that were closed before their end."""
        self._gate = threading.Semaphore(0)

    def let(self, events: int) -> None:
        self._gate.release(events)

    def contents(self) -> Contents:
        catalogue = read_catalog(Path("/none")).pairs
        built = {pair.name for pair in self.script.library.pairs}
        listed = tuple(Listed(entry, READY if entry.name in built else ABSENT) for entry in catalogue)
        return Contents(self.script.library, listed, self.script.catalogue_problem)

    def free(self) -> str:
        return "12.0 GB on the GPU, 16.0 GB of memory"

    def fit(self, target: Model, draft: Model | None) -> Plan | None:
        beside = _draft() if draft is not None else None
        return plan_load(size_from_config(CONFIG, target.size_bytes), beside, self.script.room, context_tokens=8192)

    def search(self, text: str) -> Journey[list[Hit]]:
        yield SILENCE
        if self.script.search_error:
            raise self.script.search_error
        return [hit for hit in HITS if text.lower() in hit.model.name.lower()]

    def ask(self, order: BuildJob) -> Journey[Forecast | None]:
        yield Progress("Looking at a file", 1, 0, "bytes")
        if self.script.ask_error:
            raise self.script.ask_error
        return forecast(self.script.room)

    def get(self, order: BuildJob) -> Journey[JobResult]:
        self.orders.append(order)
        yield from self._events()
        return JobResult(f"{order.name} is ready.", opens=order.name if order.is_pair else "")

    def resume(self, partial: Partial) -> Journey[JobResult]:
        self.resumed.append(partial)
        yield from self._events()
        return JobResult("Qwen/Qwen3-4B-GGUF is downloaded.")

    def plan_removal(self, what: Pair | Model | Partial | None) -> Removal:
        if self.script.removal_error:
            raise self.script.removal_error
        match what:
            case Pair():
                kept = (TARGET_8B.path,)
                return Removal(
                    f"the pair {what.name}", folders=(Path("/m/qwen3-8b"),), freed_bytes=1_200_000_000, kept=kept
                )
            case Model():
                return Removal(
                    f"the {what.role} {what.name}",
                    files=what.files,
                    freed_bytes=what.size_bytes,
                    losers=("qwen3-8b",) if what == TARGET_8B else (),
                    outside=("the hub's cache, which other programs share",),
                )
            case Partial():
                return Removal(what.path.name, files=(what.path,), freed_bytes=what.size_bytes)
            case None:
                left = [each for each in self.script.library.partials if not each.is_in_use]
                return Removal(
                    "incomplete downloads and conversions", files=tuple(each.path for each in left), freed_bytes=1
                )

    def remove(self, removal: Removal) -> None:
        self.removed.append(removal)
        gone = {*removal.files, *removal.folders}
        library = self.script.library
        self.script.library = replace(
            library,
            models=tuple(each for each in library.models if each.path not in gone),
            pairs=tuple(each for each in library.pairs if each.folder not in gone),
            partials=tuple(each for each in library.partials if each.path not in gone),
        )

    def _events(self) -> Journey[None]:
        try:
            for event in self.script.build:
                if self.script.is_gated:
                    while not self._gate.acquire(timeout=0.05):
                        yield SILENCE  # a real journey yields while it waits, too
                yield event
                time.sleep(self.script.pause_s)
        except GeneratorExit:
            self.closed += 1
            raise
        if self.script.get_error:
            error, self.script.get_error = self.script.get_error, None
            raise error


def forecast(room: FreeMemory, *, usual: str = "Q4_K_M") -> Forecast:
    options = tuple(
        Option(name, int(size), plan_load(size_from_config(CONFIG, int(size)), _draft(), room, context_tokens=4096))
        for name, size in FILES.items()
    )
    fitting = [option.quantization for option in options if option.plan.fits]
    chosen = next(option for option in options if option.quantization == usual)
    return Forecast(chosen, options, fitting[0] if fitting else "", int(9.7 * GB), 4096)


def _draft() -> ModelSize:
    config = {**CONFIG, "num_hidden_layers": 5, "block_size": 7, "target_layer_ids": [1, 9, 17, 25, 33]}
    return size_from_config(config, 1_200_000_000, has_embeddings=False)
