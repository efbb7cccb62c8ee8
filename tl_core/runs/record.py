"""What is known about one run, and the files of its folder."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Literal

from tl_core.config import TrainingConfig
from tl_core.storage.workspace import Workspace, short_id

Status = Literal["queued", "running", "done", "stopped", "failed", "interrupted"]
Mode = Literal["train", "resume", "extend"]
"""How a training begins: from nothing, from its last saved epoch, or with more epochs than were planned."""

ACTIVE: Final[frozenset[str]] = frozenset({"queued", "running"})


CHECKPOINT_FILE: Final = "checkpoint.npz"
LATEST_FILES: Final = ("latest-0.npz", "latest-1.npz")  # of later epochs, in turns; a power cut may take them


@dataclass(frozen=True, slots=True)
class _Place:
    """A file or folder of a run, by its name there."""

    name: str

    def __get__(self, folder: RunFolder, _class: type) -> Path:
        return folder.path / self.name


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of ``workspace/runs/<run_id>/``."""

    path: Path

    record_file = _Place("run.json")  # what was asked for and how it stands; written by the training alone
    annotations_file = _Place("annotations.json")  # name, star, notes, tags; written by the pages alone
    events_file = _Place("events.jsonl")  # all that happened, one JSON object per line; see `storage.event_log`
    node_file = _Place("node.json")  # who works on it in a cluster; see `tl_core.runs.node_report`
    heartbeat_file = _Place("heartbeat.json")  # the latest sign of the training; see `tl_core.runs.heartbeat`
    model_file = _Place("best.keras")  # the best model so far, with its input scaling inside
    labels_file = _Place("labels.json")  # the class names, in the order of the model's outputs
    metrics_file = _Place("metrics.json")  # the kept model's metrics per split, and the seconds spent by stage
    calibration_file = _Place("confidence.json")  # temperature and threshold of the model, chosen by a person
    cross_validation_file = _Place("cross-validation.json")  # see `tl_core.evaluation.cross_validated`
    novelty_file = _Place("novelty.npz")  # what the model was taught; see `tl_core.inference.novelty`
    watched_images_folder = _Place("pinned")  # watched while the model trains; see `tl_core.runs.watched_images`
    epochs_folder = _Place("epochs")  # the last epochs, beside the best; see `tl_core.runs.epoch_checkpoints`
    tracking_folder = _Place("tracking")  # what MLflow has of it; see `tl_core.runs.tracking`
    log_file = _Place("log.txt")  # technical, with tracebacks

    @property
    def workspace(self) -> Workspace:
        """Where the run lies, asked for nobody in particular."""
        return Workspace(self.path.parent.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that runs a training; tells a run in progress from one whose process died."""

    pid: int
    started: float  # Unix seconds at which that process began, because pids are used again
    host: str | None = None  # name of its machine; None: written before there was a cluster


@dataclass(frozen=True, slots=True)
class Waiting:
    """The place of a queued run, kept in its folder so that the queue outlives the program."""

    mode: Mode
    place: float  # the smaller one is trained earlier; Unix seconds at which it was queued, until it is moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The epoch whose model is kept."""

    epoch: int  # counted from 1 over both phases
    phase: str  # head or fine_tune
    val_loss: float
    val_accuracy: float  # 0-1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptModel:
    """What a model file is; written down before the file takes its place, because both cannot change at once."""

    best: Best
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as its folder tells it; a snapshot, read again to see what has changed."""

    id: str
    path: Path
    name: str
    status: Status
    config: TrainingConfig
    members: tuple[TrainingConfig, ...] = ()  # of an ensemble, besides `config`: the model is the mean of them all
    dataset_id: str
    dataset_name: str
    dataset_fingerprint: str
    dataset_revision: int = 1  # which one it learns from; before datasets could be changed there was one
    decoding: int = 1  # how the files of that dataset were decoded: `tl_core.data.decoding.DECODING`
    classes: tuple[str, ...]  # in the order of the model's outputs
    split_counts: dict[str, int]  # images per split
    created: str  # ISO 8601, UTC
    started: str | None = None
    finished: str | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of Python and the packages that matter
    device: str | None = None  # what it ran on, in words
    best: Best | None = None
    error: str | None = None  # one sentence, if the run failed
    interruption: str | None = None  # one sentence, if what trained it ended in mid-run while somebody watched
    model_sha256: str | None = None  # of best.keras
    next_model: KeptModel | None = None  # about to become best.keras; known of a run in progress alone
    owner: Owner | None = None
    waiting: Waiting | None = None  # of a queued run, once it is in the queue
    starred: bool = False
    notes: str = ""
    tags: tuple[str, ...] = ()  # short words of one's own, to find runs again

    @property
    def folder(self) -> RunFolder:
        """The files of this run."""
        return RunFolder(self.path)

    @property
    def workspace(self) -> Workspace:
        """Where the run lies, asked for nobody in particular."""
        return self.folder.workspace

    @property
    def dataset_path(self) -> Path:
        """The folder of the images that it learns from; gone, where the dataset was deleted."""
        return self.workspace.datasets / self.dataset_id

    @property
    def short_id(self) -> str:
        """A name for files that are made of the run: plain letters, digits and dashes."""
        return short_id(self.id)

    @property
    def active(self) -> bool:
        """Whether the run waits or works."""
        return self.status in ACTIVE

    @property
    def has_model(self) -> bool:
        """Whether there is a model to predict with, also while the run still goes on."""
        return self.folder.model_file.is_file()

    @property
    def can_go_on(self) -> bool:
        """Whether the run has ended well and its last epoch is kept, so that more epochs can follow."""
        return self.status in ("done", "stopped") and self.has_model and (self.path / CHECKPOINT_FILE).is_file()

    @property
    def resumable(self) -> bool:
        """Whether it can go on to its planned end: it was cut off, or ended before that with its last epoch kept."""
        kept = any((self.path / name).is_file() for name in (CHECKPOINT_FILE, *LATEST_FILES))
        return self.status == "interrupted" or (self.status in ("stopped", "failed") and kept)


# Fields of `RunRecord` that are not in run.json: where it lies, and what a person may change at any time.
PATH_FIELD: Final = "path"
ANNOTATION_FIELDS: Final = ("name", "starred", "notes", "tags")
RECORD_FIELDS: Final = frozenset(entry.name for entry in fields(RunRecord)) - {PATH_FIELD}
