"""The daemon's figures in Prometheus' text format. Nothing is counted here: what is asked for is read when it is asked.

prometheus-client is imported by the first request, so that a daemon nobody asks costs no memory for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from traceview.protocol.control import AgentStatus
from traceview_agent.intake import Intake
from traceview_agent.meters import COMMIT_BOUNDS, Figures, Meters
from traceview_agent.redaction import Redaction

if TYPE_CHECKING:
    from prometheus_client import Metric


class Metrics:
    """Answers scrapes; `status` gives what the daemon says of itself."""

    def __init__(self, meters: Meters, intake: Intake, redaction: Redaction, status: Callable[[], AgentStatus]) -> None:
        self._meters, self._intake, self._redaction = meters, intake, redaction
        self._status = status
        self._registry: Any = None

    def page(self, accept: str) -> tuple[bytes, str]:
        """The figures as of now and their content type, in the format that `accept` prefers."""
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """One scrape's families, as a Prometheus registry wants them."""
        figures, status = self._meters.figures(), self._status()
        yield from _counters(figures, self._redaction.counts)
        yield _commits(figures)
        for what in ("traces", "spans"):
            counts = {(each.rule,): getattr(each, what) for each in status.sampled_out}
            said = f"{what.capitalize()} that sampling has left out of the store since there is one, by rule."
            yield _counter(f"{what}_sampled_out", said, ("rule",), counts)
        queue = self._intake.depth
        yield _gauge("queue_spans", "Span parts that came in and are not committed yet.", queue.spans)
        yield _gauge("queue_bytes", "Their bytes as they came.", queue.bytes)
        yield _gauge("queue_limit_spans", "More are turned away.", queue.max_spans)
        yield _gauge("queue_limit_bytes", "More are turned away.", queue.max_bytes)
        yield _gauge("store_bytes", "The store's files, its write-ahead log included.", status.store_bytes)
        problem = status.problem is not None
        yield _gauge("store_problem", "1 while the store can't be written and nothing is acknowledged.", problem)
        if status.search is not None:
            yield _gauge("search_waiting_spans", "Spans the full-text index does not have yet.", status.search.waiting)
            yield _gauge("search_index_bytes", "The full-text index's files.", status.search.bytes)
            stuck = status.search.problem is not None
            yield _gauge("search_problem", "1 while the full-text index can't be kept up.", stuck)
        yield _gauge("start_time_seconds", "When the daemon started, in seconds since 1970.", status.started_ns / 1e9)
        yield _labelled(
            "receiver_up",
            "1 for a way in that listens.",
            ("receiver", "address"),
            {(way.name, way.address): float(way.error is None) for way in status.receivers},
        )
        yield _labelled("build_info", "The daemon's version.", ("version",), {(status.version,): 1.0})


def _counters(figures: Figures, redacted: Mapping[str, int]) -> Iterator[Metric]:
    yield _counter("spans_ingested", "Finished spans that are committed.", ("receiver",), _keyed(figures.stored))
    dropped = "Spans that programs say they lost since their outbox was full."
    yield _counter("spans_dropped", dropped, ("receiver",), _keyed(figures.dropped))
    rejected = "Records that can't be read or stored; a message that breaks the protocol counts as one."
    yield _counter("spans_rejected", rejected, ("receiver", "reason"), figures.rejected)
    refused = "Messages and requests turned away as a whole; most come again."
    yield _counter("requests_refused", refused, ("receiver", "reason"), figures.refused)
    left_out = "Traces that programs say they did not record, by their own sampling."
    yield _counter("traces_left_out", left_out, (), {(): figures.left_out})
    yield _counter("secrets_redacted", "Secrets taken out of spans, by rule.", ("rule",), _keyed(redacted))


def _commits(figures: Figures) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    total, buckets = 0, []
    for bound, count in zip((*map(str, COMMIT_BOUNDS), "+Inf"), figures.commits, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return HistogramMetricFamily(
        "traceview_commit_seconds", "How long transactions took.", buckets=buckets, sum_value=figures.commit_seconds
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"traceview_{name}", help_text, value=float(value))


def _labelled(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"traceview_{name}", help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"traceview_{name}", help_text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _keyed(values: Mapping[str, int]) -> dict[tuple[str], int]:
    return {(key,): value for key, value in values.items()}
