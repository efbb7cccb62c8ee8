"""Weights that a search may download: which, how many megabytes, and the download itself, beside the trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import ensure_weights, weights_status
from tl_core.errors import WeightsUnavailableError
from tl_core.machine.progress import Progress, TaskContext
from tl_core.search.space import DOWNLOADS, OTHERS, SOURCES, Source
from tl_core.storage.workspace import Workspace

TOO_LATE = (
    "Its weights had not arrived by the time they were needed; what has arrived is kept for the next time. Give the "
    "search more minutes, or run “python -m tl_core weights fetch {name}” before."
)


def usable_sources(workspace: Workspace, *, downloads: bool) -> Iterator[Source]:
    """The sources of a search in the order in which they are taken as far as the time allows.

    Args:
        workspace: whose folder of weights is looked into, besides Keras' own.
        downloads: whether those of `DOWNLOADS` count whose weights are not here.
    """
    yield SOURCES[0]  # of Quick start, the line to beat: where it cannot be had, its own sentence says so
    for source in (*SOURCES[1:], *OTHERS):
        if (downloads and source.backbone in DOWNLOADS) or is_here(source, workspace):
            yield source


def is_here(source: Source, workspace: Workspace) -> bool:
    """Whether its weights are on this machine."""
    return weights_status(get_backbone(source.backbone), workspace).here


def to_download(workspace: Workspace) -> list[Backbone]:
    """The backbones that a search downloads at most, where that is allowed; empty where all are here."""
    found = (get_backbone(name) for name in DOWNLOADS)
    return [backbone for backbone in found if not weights_status(backbone, workspace).here]


def describe_downloads(backbones: Sequence[Backbone]) -> str:
    """For the person who is asked: ``EfficientNetV2B0 24 MB, ConvNeXtTiny 111 MB``."""
    return ", ".join(f"{backbone.title} {backbone.download_mb:.0f} MB" for backbone in backbones)


@dataclass(frozen=True, slots=True)
class Arriving:
    """A download at work."""

    title: str  # of the backbone
    done: float  # bytes
    total: float


class Downloads:
    """Downloads weights one after the other in a thread of its own, while heads are tried on what is here.

    Args:
        workspace: of the search.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stop = Event()
        self._files: dict[str, Future[Path]] = {}  # by the name of the backbone
        self._thread = ThreadPoolExecutor(1, "weights")
        self.arriving: Arriving | None = None

    def begin(self, sources: Iterable[Source]) -> None:
        """Download what these sources need and is not here; returns at once."""
        for source in sources:
            if source.backbone not in self._files and not is_here(source, self._workspace):
                backbone = get_backbone(source.backbone)
                self._files[source.backbone] = self._thread.submit(self._download, backbone)

    def at_work(self, source: Source) -> bool:
        """Whether the weights of a source are still on their way."""
        file = self._files.get(source.backbone)
        return file is not None and not file.done()

    def require(self, source: Source) -> None:
        """Return if the weights of a source are here.

        Raises:
            WeightsUnavailableError: they could not be downloaded, or are not here yet.
        """
        if self.at_work(source):
            raise WeightsUnavailableError(TOO_LATE.format(name=source.backbone))
        if source.backbone in self._files:
            self._files[source.backbone].result()

    def close(self) -> None:
        """Give up what is not here yet; what has arrived of it is kept for the next time."""
        self._stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _download(self, backbone: Backbone) -> Path:
        def tell(at: Progress) -> None:
            self.arriving = Arriving(backbone.title, at.done, at.total)

        try:
            return ensure_weights(backbone, self._workspace, TaskContext(tell, self._stop.is_set))
        finally:
            self.arriving = None
