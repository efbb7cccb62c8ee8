"""Running Python in a process of its own, which can be ended at any time."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from tl_core.machine.child_process import end_process, start_python, wait_for
from tl_core.machine.progress import TaskContext

logger = logging.getLogger(__name__)

_INTERVAL: Final = 0.2  # seconds between two questions whether to stop
_LOG_END: Final = 4000  # characters of a failed process's output that go to the log


def run_python(words: Sequence[str], task: TaskContext, environment: dict[str, str]) -> int:
    """Run Python in another process, on the CPU.

    Args:
        words: the interpreter's arguments.
        task: asked several times a second; the process is then ended.
        environment: what is set besides the variables of this process.

    Returns:
        The exit code; where it is not 0, the end of what was printed is in the log.

    Raises:
        StoppedError: the task was asked to stop.
    """
    with tempfile.TemporaryFile() as said:
        process = start_python(
            words, {**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                task.stop_if_asked("The export was stopped; nothing of it was kept.")
                wait_for(process, _INTERVAL)
        finally:
            end_process(process)
        if process.returncode != 0:
            said.seek(0)
            logger.warning("An export failed: %s", said.read().decode("utf-8", "replace")[-_LOG_END:])
        return process.returncode
