"""A run as MLflow's client writes it. MLflow is optional: only what sends imports it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from datetime import datetime
from typing import Any, Final, NamedTuple

from tl_core.errors import TrackingError
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.record import RunRecord, Status
from tl_core.runs.tracking.settings import URI, Tracking, prepare_client

OUR_ID: Final = "transfer_learning.run"  # the tag by which a run is found again
MODEL_FOLDER: Final = "model"  # of the artifacts
MAX_PARAMS: Final = 100  # that MLflow takes at once
MAX_METRICS: Final = 1000
MAX_VALUE: Final = 5000  # characters of a tag or a parameter
MAX_DIGEST: Final = 36  # characters of a dataset's fingerprint
MAX_REASON: Final = 200  # characters
_MISSING: Final = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"

# Words of ours, and MLflow's for them.
STATUSES: Final[Mapping[Status, str]] = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "done": "FINISHED",
    "stopped": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}


class Point(NamedTuple):
    """One figure of a run."""

    name: str
    value: float
    milliseconds: int  # since 1970
    step: int


class MlflowRun:
    """One run at one place.

    Every method raises whatever MLflow's client raises.

    Args:
        tracking: the place.
        record: the run.
        known_id: its id there, if it has one.
    """

    def __init__(self, tracking: Tracking, record: RunRecord, known_id: str) -> None:
        prepare_client(tracking)
        from mlflow import MlflowClient

        self._tracking = tracking
        with chdir(tracking.folder or "."):  # where MLflow lays the files of a database of this machine
            self._client = MlflowClient(tracking.uri)
            found = (known_id and self._found(known_id)) or self._searched(record)
            self.created = found is None
            self._run = found or self._create(record)
        self.id = self._run.info.run_id
        self._describe(record)

    @property
    def page(self) -> str:
        """Address of its page; empty where it is no server."""
        if not self._tracking.uri.startswith(("http://", "https://")):
            return ""
        server = self._tracking.shown.rstrip("/")
        return f"{server}/#/experiments/{self._run.info.experiment_id}/runs/{self.id}"

    def log(self, points: Iterable[Point]) -> None:
        """Send figures; the same one again is no second one."""
        from mlflow.entities import Metric

        metrics = [Metric(*point) for point in points]
        for start in range(0, len(metrics), MAX_METRICS):
            self._client.log_batch(self.id, metrics=metrics[start : start + MAX_METRICS])

    def end(self, record: RunRecord) -> None:
        """Send what is known once a run has ended, and how it did."""
        at = _milliseconds(record.finished)
        metrics = read_metrics(record)
        self.log(Point(name, value, at, metrics.get("epochs", 0)) for name, value in _achieved(record, metrics))
        self._tag({**_said(record), "end": record.error or record.interruption or record.status})
        if self._tracking.with_model and record.has_model:
            for file in (record.folder.model_file, record.folder.labels_file):
                self._client.log_artifact(self.id, str(file), MODEL_FOLDER)
        self._client.set_terminated(self.id, STATUSES[record.status], at)

    def discard(self) -> None:
        """Mark it as killed: it was deleted here."""
        self._client.set_terminated(self.id, STATUSES["stopped"])

    def _found(self, run_id: str) -> Any:
        """The run of this id; None where it was deleted there."""
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in _MISSING:
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _searched(self, record: RunRecord) -> Any:
        """The run that was begun there before it could be written down here."""
        experiment = self._client.get_experiment_by_name(self._tracking.experiment)
        if experiment is None:
            return None
        found = self._client.search_runs(
            [experiment.experiment_id], f"tags.`{OUR_ID}` = '{record.id}'", max_results=1
        )
        return found[0] if found else None

    def _create(self, record: RunRecord) -> Any:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        run = self._client.create_run(
            self._experiment(), _milliseconds(record.started), {OUR_ID: record.id}, run_name=record.name
        )
        source = {"id": record.dataset_id, "revision": record.dataset_revision, "images": record.split_counts}
        data = Dataset(record.dataset_name, record.dataset_fingerprint[:MAX_DIGEST], "local", json.dumps(source))
        training = DatasetInput(data, [InputTag("mlflow.data.context", "training")])
        self._client.log_inputs(run.info.run_id, datasets=[training])
        return run

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        name = self._tracking.experiment
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException as error:
            if error.error_code != _EXISTS:  # else another run has made it meanwhile
                raise
            return str(self._client.get_experiment_by_name(name).experiment_id)

    def _describe(self, record: RunRecord) -> None:
        """Its settings, and that it runs. A parameter never changes there, so a new value of one becomes a tag."""
        from mlflow.entities import Param

        there = self._run.data.params
        settings = {name: str(value)[:MAX_VALUE] for name, value in flat(record.config.to_dict())}
        new = [Param(name, value) for name, value in settings.items() if name not in there]
        for start in range(0, len(new), MAX_PARAMS):
            self._client.log_batch(self.id, params=new[start : start + MAX_PARAMS])
        changed = {f"now.{name}": value for name, value in settings.items() if there.get(name, value) != value}
        self._tag({**_said(record), **changed})
        self._client.update_run(self.id, status=STATUSES["running"])

    def _tag(self, tags: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        given = [RunTag(name, str(value)[:MAX_VALUE]) for name, value in tags.items()]
        self._client.log_batch(self.id, tags=given)


def ask(tracking: Tracking) -> None:
    """Ask whether the place can be used.

    Raises:
        TrackingError: it does not answer, or refuses.
    """
    try:
        prepare_client(tracking)
        from mlflow import MlflowClient

        with chdir(tracking.folder or "."):
            MlflowClient(tracking.uri).search_experiments(max_results=1)
    except Exception as error:
        raise TrackingError(
            f"MLflow at {tracking.shown} does not answer ({reason_of(error, tracking)}): start it, or change {URI}."
        ) from error


def reason_of(error: Exception, tracking: Tracking) -> str:
    """The first line of an error of MLflow's client, without passwords."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].replace(tracking.uri, tracking.shown).rstrip(".")[:MAX_REASON]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots and values of nested mappings: ``("head.dropout", 0.5)``."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _said(record: RunRecord) -> dict[str, Any]:
    """What describes a run, by the names of tags; those of MLflow's own pages begin with its name."""
    return {
        "mlflow.runName": record.name,
        "mlflow.note.content": record.notes,
        "tags": ", ".join(record.tags),
        "starred": record.starred,
        "dataset.id": record.dataset_id,
        "dataset.name": record.dataset_name,
        "dataset.revision": record.dataset_revision,
        "dataset.fingerprint": record.dataset_fingerprint,
        "classes": ", ".join(record.classes),
        "device": record.device or "",
        "status": record.status,
        **{f"version.{name}": version for name, version in record.versions.items()},
        **{f"images.{split}": count for split, count in record.split_counts.items()},
    }


def _achieved(record: RunRecord, metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The kept model's figures, of the splits that were measured."""
    if record.best is not None:
        yield "best_epoch", record.best.epoch
        yield "best_val_loss", record.best.val_loss
        yield "best_val_accuracy", record.best.val_accuracy
    for name in ("loss", "accuracy"):
        if (value := metrics.get("test", {}).get(name)) is not None:
            yield f"test_{name}", value


def _milliseconds(moment: str | None) -> int:
    """A moment of the record, or now."""
    return int(1000 * (datetime.fromisoformat(moment).timestamp() if moment else time.time()))
