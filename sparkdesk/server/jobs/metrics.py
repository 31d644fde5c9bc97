"""What the server has done so far, as Prometheus reads it. Figures only: no text, no names of clients."""

from collections import Counter
from dataclasses import dataclass, field

from sparkdesk.server.jobs.worker import JobResult

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is so now."""

    waiting: int
    capacity: int
    is_answering: bool
    is_ready: bool
    reloads: int


@dataclass
class Histogram:
    """How long something took."""

    counts: Counter[float] = field(default_factory=Counter)
    count: int = 0
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds
        self.counts.update(bound for bound in _BUCKETS_S if seconds <= bound)

    def lines(self, name: str, what: str) -> list[str]:
        buckets = [f'{name}_bucket{{le="{bound:g}"}} {self.counts[bound]}' for bound in _BUCKETS_S]
        rest = [
            f'{name}_bucket{{le="+Inf"}} {self.count}',
            f"{name}_sum {self.total_s:.6f}",
            f"{name}_count {self.count}",
        ]
        return [f"# HELP {name} {what}", f"# TYPE {name} histogram", *buckets, *rest]


@dataclass
class Metrics:
    """Written and read in the event loop only."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By path and status."""
    outcomes: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    prompt_s: float = 0.0
    generated_tokens: int = 0
    generated_s: float = 0.0
    rounds: int = 0
    verified: int = 0
    accepted: int = 0
    waited: Histogram = field(default_factory=Histogram)
    took: Histogram = field(default_factory=Histogram)

    def finished(self, finished: JobResult, *, seconds: float) -> None:
        self.outcomes[finished.outcome] += 1
        self.took.add(seconds)
        figures = finished.figures
        if figures is None:
            return
        stats = figures.stats
        self.prompt_tokens += figures.prompt_tokens
        self.cached_tokens += figures.cached_tokens
        self.prompt_s += figures.prefill_ms / 1e3
        self.generated_tokens += stats.generated
        self.generated_s += stats.decode_ms / 1e3
        self.rounds += stats.rounds
        self.verified += stats.verified
        self.accepted += stats.accepted

    def text(self, gauges: Gauges) -> str:
        lines = [
            *_family("requests_total", "counter", "Requests by path and status.", _by_request(self.requests)),
            *_family("replies_total", "counter", "Replies by how they ended.", _by_outcome(self.outcomes)),
            *_single("prompt_tokens_total", "counter", "Tokens of prompts.", self.prompt_tokens),
            *_single("prompt_tokens_cached_total", "counter", "Those found in the KV cache.", self.cached_tokens),
            *_single("prompt_seconds_total", "counter", "Time spent reading prompts.", round(self.prompt_s, 6)),
            *_single("generated_tokens_total", "counter", "Tokens generated.", self.generated_tokens),
            *_single("generated_seconds_total", "counter", "Time spent generating.", round(self.generated_s, 6)),
            *_single("rounds_total", "counter", "Passes of the target after the prompt.", self.rounds),
            *_single("draft_tokens_verified_total", "counter", "Drafted tokens looked at.", self.verified),
            *_single("draft_tokens_accepted_total", "counter", "Drafted tokens accepted.", self.accepted),
            *_single("requests_waiting", "gauge", "Requests in the queue.", gauges.waiting),
            *_single("requests_waiting_most", "gauge", "Most that may wait.", gauges.capacity),
            *_single("requests_running", "gauge", "Replies in the making.", int(gauges.is_answering)),
            *_single("engine_up", "gauge", "1 while the model is loaded.", int(gauges.is_ready)),
            *_single("engine_reloads_total", "counter", "Loads after the engine died.", gauges.reloads),
            *self.waited.lines("sparkdesk_queue_seconds", "Time from arrival to the engine."),
            *self.took.lines("sparkdesk_reply_seconds", "Time from the engine's start to the end of a reply."),
        ]
        return "\n".join(lines) + "\n"


def _single(name: str, kind: str, what: str, value: float) -> list[str]:
    return _family(name, kind, what, [f" {value}"])


def _family(name: str, kind: str, what: str, values: list[str]) -> list[str]:
    full = f"sparkdesk_{name}"
    return [f"# HELP {full} {what}", f"# TYPE {full} {kind}", *(f"{full}{value}" for value in values)]


def _by_request(counts: Counter[tuple[str, int]]) -> list[str]:
    return [f'{{path="{path}",status="{status}"}} {count}' for (path, status), count in sorted(counts.items())]


def _by_outcome(counts: Counter[str]) -> list[str]:
    return [f'{{outcome="{outcome}"}} {count}' for outcome, count in sorted(counts.items())]
