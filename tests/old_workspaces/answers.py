"""The command line's output for a workspace: its verbs and the keys of its JSON stay the same for ever."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tl_core.command_line import main

Values = dict[str, Any]

IMAGES = ("blue.png", "red.png")
CPUINFO = Path("/proc/cpuinfo")
NOT_COMPARED = ("run_dir", "seconds", "image")  # depend on the place and the machine


def ask(folder: Path, *words: str) -> Values:
    """Run a verb of the command line on the workspace in ``folder``.

    Args:
        folder: an unpacked archive; it is the current folder meanwhile.
        words: of the verb, without ``--json``.

    Returns:
        The JSON object it prints and its ``exit_code``, without what depends on the place and the machine.
    """
    said = io.StringIO()
    environment = {"TL_WORKSPACE": str(folder / "workspace")}
    with (
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        code = main([*words, "--json"])
    lines = said.getvalue().splitlines()
    return {"exit_code": code, **_comparable(json.loads(lines[-1]) if lines else {})}


def processor() -> str:
    """What computes: other processors round in other ways."""
    names = ("model name", "model\t", "stepping")
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    values = dict.fromkeys(line.partition(":")[2].strip() for line in lines if line.startswith(names))
    return ", ".join(values) or platform.machine()


def predict(folder: Path, run_id: str, *words: str) -> Values:
    """A run's predictions for the two images."""
    return ask(folder, "predict", run_id, *(f"images/{name}" for name in IMAGES), *words)


def plain_predictions(predictions: Sequence[Any]) -> list[list[float]]:
    """The probabilities of several predictions, as JSON has them."""
    return [prediction.probabilities.astype(float).tolist() for prediction in predictions]


def read_images(folder: Path) -> list[bytes]:
    """The two images."""
    return [(folder / "images" / name).read_bytes() for name in IMAGES]


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(inner) for name, inner in value.items() if name not in NOT_COMPARED}
    if isinstance(value, list):
        return [_comparable(inner) for inner in value]
    return value
