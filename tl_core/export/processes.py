"""The two child processes of an export: one builds the file, one predicts with it. Both can be ended at any time.

Converters leave memory and state behind, so ``python -m tl_core.export.processes RUN FORMAT TARGET`` builds one file.
Exit code `CANNOT`: the file `REASON` beside the target has the reason as a sentence.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import ExportError, TransferLearningError
from tl_core.export.building import Source
from tl_core.export.formats import ExportFormat, get_format
from tl_core.machine.child_process import end_process, start_python, wait_for, with_our_code
from tl_core.machine.progress import TaskContext
from tl_core.runs import RunRecord, load_run

logger = logging.getLogger(__name__)

CANNOT: Final = 2
REASON: Final = "reason.txt"
_INTERVAL: Final = 0.2  # seconds between two questions whether to stop
_LOG_END: Final = 4000  # characters of a failed process's output that go to the log


def build_file(run: RunRecord, form: ExportFormat, target: Path, task: TaskContext) -> None:
    """Write the model of a run at ``target``, in a process of its own.

    Raises:
        ExportError: the model cannot be converted.
        StoppedError: a stop was requested.
    """
    words = ("-m", "tl_core.export.processes", str(run.path), form.name, str(target))
    code = _run_python(words, task, {"PYTHONPATH": with_our_code()})
    reason = target.parent / REASON
    if code == CANNOT and reason.is_file():
        raise ExportError(reason.read_text(encoding="utf-8"))
    if code != 0:
        raise ExportError(
            f"The model of “{run.name}” could not be turned into {form.title}, because its converter refuses one of "
            "its parts (the server's log says which): choose another format."
        )


def predict_with(
    form: ExportFormat, folder: Path, pictures: Sequence[Path], task: TaskContext
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The predictions of the program in ``folder`` for the pictures, in a process without our code.

    Returns:
        Float32: probabilities, ``(n, classes)`` if the file is right, and how unlike each picture is, ``(n,)``.

    Raises:
        ExportError: the file cannot be loaded.
        StoppedError: a stop was requested.
    """
    listed, answers = folder.parent / "pictures.json", folder.parent / "answers.npz"
    listed.write_text(json.dumps([str(path) for path in pictures]), encoding="utf-8")
    program = Path(__file__).with_name("prediction_process.py")
    # -P: the folder of that file, with the rest of this package, is not searched for modules.
    if _run_python(("-P", str(program), str(folder), str(listed), str(answers)), task, {}) != 0:
        raise ExportError(
            f"The file for {form.title} was built but cannot be loaded again (the server's log says why), so it is "
            "not offered: choose another format."
        )
    with np.load(answers, allow_pickle=False) as told:
        return told["probabilities"], told["novelty"]


def _run_python(words: Sequence[str], task: TaskContext, environment: dict[str, str]) -> int:
    """Run Python in another process, which a stop ends; where it fails, the log has the end of its output."""
    with tempfile.TemporaryFile() as printed:
        process = start_python(
            words, {**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                task.stop_if_asked("The export was stopped; nothing of it was kept.")
                wait_for(process, _INTERVAL)
        finally:
            end_process(process)
        if process.returncode != 0:
            printed.seek(0)
            logger.warning("An export failed: %s", printed.read().decode("utf-8", "replace")[-_LOG_END:])
        return process.returncode


def main(run_path: Path, format_name: str, target: Path) -> int:
    """Build one file in this process; returns the exit code."""
    try:
        get_format(format_name).build(Source(load_run(run_path)), target)
    except TransferLearningError as error:
        (target.parent / REASON).write_text(str(error), encoding="utf-8")
        return CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
