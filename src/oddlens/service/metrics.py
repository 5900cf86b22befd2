"""What a Prometheus server may ask: how many images were inspected, how long it took, and how many wait."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one service.

    Attributes:
        inspected: Images, by station and outcome: a verdict, "failed", or "none" without a threshold.
        seconds: From the moment that an image is taken in until it is kept, by station.
        refused: Requests that were turned away, by reason: "busy" or "late".
    """

    def __init__(self, waiting: Callable[[], float], listening: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self.inspected = Counter(
            "oddlens_inspections", "Images that were inspected", ["station", "outcome"], registry=self._registry
        )
        self.seconds = Histogram(
            "oddlens_inspection_seconds",
            "Seconds of an inspection",
            ["station"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.refused = Counter("oddlens_refused", "Images that were not inspected", ["reason"], registry=self._registry)
        Gauge("oddlens_waiting", "Images that wait", registry=self._registry).set_function(waiting)
        Gauge("oddlens_listeners", "Open event streams", registry=self._registry).set_function(listening)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them, in Prometheus's form."""
        return generate_latest(self._registry)
