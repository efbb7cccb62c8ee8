"""What the environment says about the programs that show runs, too: which are asked for, and where MLflow is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tl_core.errors import TrackingError

TENSORBOARD: Final = "TL_TENSORBOARD"  # the folder of its logs
MLFLOW: Final = "TL_MLFLOW"  # 1, or model
URI: Final = "MLFLOW_TRACKING_URI"
EXPERIMENT: Final = "MLFLOW_EXPERIMENT_NAME"
DEFAULT_EXPERIMENT: Final = "transfer-learning"
WITH_MODEL: Final = "model"
OFF: Final = ("", "0")

_VALUES: Final = ("1", WITH_MODEL)
_DATABASE: Final = "mlflow.db"  # in a folder, which MLflow from 3.13 on takes only as a database
_SQLITE: Final = "sqlite:///"
_AS_IT_IS: Final = ("databricks",)  # no folder of this name
# Tried again here, not by the client, which would wait for minutes; a choice of one's own goes first.
_CLIENT: Final = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are sent."""

    uri: str  # as MLflow's client takes it
    experiment: str
    with_model: bool = False  # send the model's file, too
    folder: Path | None = None  # of this machine, where it is no server

    @classmethod
    def from_environment(cls) -> Tracking:
        """What the variables ask for, whether or not TL_MLFLOW asks for every run.

        Raises:
            TrackingError: something is missing or wrong.
        """
        asked = os.environ.get(MLFLOW, "")
        if asked not in (*_VALUES, *OFF):
            raise TrackingError(f"{MLFLOW} must be 1, or “{WITH_MODEL}” to send the models, too. Received: {asked}.")
        if find_spec("mlflow") is None:
            raise TrackingError(
                "MLflow gets nothing of this run, as it is not installed: “pip install mlflow-skinny”."
            )
        named = os.environ.get(URI, "")
        if not named:
            raise TrackingError(f"MLflow gets nothing of this run: {URI} has to name a tracking server or a folder.")
        uri, folder = _located(named)
        return cls(uri, os.environ.get(EXPERIMENT) or DEFAULT_EXPERIMENT, asked == WITH_MODEL, folder)

    @property
    def shown(self) -> str:
        """The place for people: without a password."""
        if self.folder is not None:
            return str(self.folder)
        parts = urlsplit(self.uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def tracking_is_asked() -> bool:
    """Whether every run is to be sent to MLflow."""
    return os.environ.get(MLFLOW, "") not in OFF


def prepare_client(tracking: Tracking) -> None:
    """Have MLflow's client of this process wait for nothing, and write beside a database of this machine."""
    for name, value in _CLIENT.items():
        os.environ.setdefault(name, value)
    if tracking.folder is not None:
        tracking.folder.mkdir(parents=True, exist_ok=True)


def _located(uri: str) -> tuple[str, Path | None]:
    if uri in _AS_IT_IS or os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1"):
        return uri, None
    if uri.startswith(_SQLITE):
        database = Path(uri.removeprefix(_SQLITE)).absolute()
    elif uri.startswith("file:"):
        database = Path(unquote(urlsplit(uri).path)).absolute() / _DATABASE
    elif "://" not in uri:
        database = Path(uri).expanduser().absolute() / _DATABASE
    else:
        return uri, None
    return f"{_SQLITE}{database}", database.parent
