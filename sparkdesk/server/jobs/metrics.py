"""What the server has done so far, as Prometheus reads it. Figures only: no text, no names of clients."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sparkdesk.server.jobs.worker import JobResult

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_NAMESPACE = "sparkdesk"

disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is so now."""

    waiting: int
    capacity: int
    is_answering: bool
    is_ready: bool
    reloads: int

    def collect(self) -> Iterator[Metric]:
        for name, what, value in (
            ("requests_waiting", "Requests in the queue.", self.waiting),
            ("requests_waiting_most", "Most that may wait.", self.capacity),
            ("requests_running", "Replies in the making.", self.is_answering),
            ("engine_up", "1 while the model is loaded.", self.is_ready),
        ):
            yield GaugeMetricFamily(f"{_NAMESPACE}_{name}", what, value=float(value))
        yield CounterMetricFamily(f"{_NAMESPACE}_engine_reloads", "Loads after the engine died.", value=self.reloads)


class Metrics:
    """Written and read in the event loop only. Each server has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests by path and status.", "path", "status")
        self.outcomes = self._counter("replies", "Replies by how they ended.", "outcome")
        self._prompt = self._counter("prompt_tokens", "Tokens of prompts.")
        self._cached = self._counter("prompt_tokens_cached", "Those found in the KV cache.")
        self._prompt_s = self._counter("prompt_seconds", "Time spent reading prompts.")
        self._generated = self._counter("generated_tokens", "Tokens generated.")
        self._generated_s = self._counter("generated_seconds", "Time spent generating.")
        self._rounds = self._counter("rounds", "Passes of the target after the prompt.")
        self._verified = self._counter("draft_tokens_verified", "Drafted tokens looked at.")
        self._accepted = self._counter("draft_tokens_accepted", "Drafted tokens accepted.")
        self.waited = self._histogram("queue_seconds", "Time from arrival to the engine.")
        self.took = self._histogram("reply_seconds", "Time from the engine's start to the end of a reply.")

    def finished(self, result: JobResult, *, seconds: float) -> None:
        self.outcomes.labels(result.outcome).inc()
        self.took.observe(seconds)
        figures = result.figures
        if figures is None:
            return
        stats = figures.stats
        self._prompt.inc(figures.prompt_tokens)
        self._cached.inc(figures.cached_tokens)
        self._prompt_s.inc(figures.prefill_ms / 1e3)
        self._generated.inc(stats.generated)
        self._generated_s.inc(stats.decode_ms / 1e3)
        self._rounds.inc(stats.rounds)
        self._verified.inc(stats.verified)
        self._accepted.inc(stats.accepted)

    def text(self, gauges: Gauges) -> str:
        registry = CollectorRegistry()
        registry.register(self._registry)
        registry.register(gauges)
        return generate_latest(registry).decode()

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, namespace=_NAMESPACE, registry=self._registry)

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(name, what, namespace=_NAMESPACE, registry=self._registry, buckets=_BUCKETS_S)
