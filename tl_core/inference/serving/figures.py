"""What a server counts and times, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tl_core.inference.predict import Answer

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_BATCHES: Final = (1, 2, 4, 8, 16)


class ServingFigures:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, files and processor time, where the system tells them
        self._requests = Counter(
            "tl_requests", "Requests answered, by path and status.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "tl_predict_seconds",
            "Seconds from a request for predictions to its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._images = Counter(
            "tl_images",
            "Images, by what became of them: predicted, rejected (I don't know), or unusable.",
            ["outcome"],
            registry=self._registry,
        )
        self._batches = Histogram(
            "tl_batch_images",
            "Images that went through the network together.",
            buckets=_BATCHES,
            registry=self._registry,
        )
        self.waiting: Final = Gauge(
            "tl_images_waiting", "Images that are accepted and not answered yet.", registry=self._registry
        )

    def count_request(self, path: str, status: int) -> None:
        """One request was answered."""
        self._requests.labels(path, str(status)).inc()

    def time_prediction(self, seconds: float) -> None:
        """A request for predictions took so long."""
        self._seconds.observe(seconds)

    def count_batch(self, images: int) -> None:
        """So many images went through the network together."""
        self._batches.observe(images)

    def count_answer(self, answer: Answer) -> None:
        """One image was answered."""
        outcome = "unusable" if answer.error else "predicted" if answer.answered else "rejected"
        self._images.labels(outcome).inc()

    def as_text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self._registry)
