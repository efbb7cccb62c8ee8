"""A real MLflow server in a process of its own, which can be killed and started again with what it had."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

START_SECONDS = 120
VARIABLES = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # what tracking does without
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


class MlflowServer:
    """``mlflow server`` with a database and artifacts in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker: tuple[list[str], dict[str, str]] | None = None  # words and variables of what answers
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
            *("--artifacts-destination", str(folder / "artifacts")),
        ]
        self._client = httpx.Client(base_url=self.url, verify=False)  # one, for to make one takes longest
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers; after the first time without its own looking after the database."""
        command, variables = self._worker or (self._command, {**os.environ, **VARIABLES})
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=variables, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_it_answers()
        if self._worker is None:
            (worker,) = psutil.Process(self._process.pid).children()
            self._worker = worker.cmdline(), worker.environ()

    def copy_database(self, target: Path) -> None:
        """Write what it has now into a file."""
        source, copy = (sqlite3.connect(path) for path in (self._folder / "mlflow.db", target))
        with contextlib.closing(source), contextlib.closing(copy):
            source.backup(copy)

    def kill(self) -> None:
        """End it as a crash does, with the processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def ask(self, request: str, **values: str) -> dict[str, Any]:
        """What it answers to a request of its REST interface."""
        answer = self._client.get(f"/api/2.0/mlflow/{request}", params=values)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _wait_until_it_answers(self) -> None:
        for _ in range(START_SECONDS * 10):
            with contextlib.suppress(httpx.HTTPError):
                if self._client.get("/health").status_code == 200:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
                break
        raise AssertionError((self._folder / "server.log").read_text(errors="replace")[-3000:])
