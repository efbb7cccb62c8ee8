"""The server's own log in the workspace: bounded, and with the line that an error id on a page points to."""

from __future__ import annotations

import logging
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from tl_core.storage.workspace import Workspace

FILE: Final = "server.log"
MAX_BYTES: Final = 2_000_000  # of one file ...
OLDER_FILES: Final = 4  # ... and so many before it: 10 MB in all

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OURS: Final = ("ui", "tl_core")  # from INFO on: why a person was refused something is worth a line
_NOT_PASSED_ON: Final = ("streamlit", "uvicorn", "websockets")  # their loggers keep what they say to themselves

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_handler: RotatingFileHandler | None = None


def start_server_log(workspace: Workspace) -> Path:
    """Write the log into ``logs/server.log`` of the workspace from now on; cheap when it is so already.

    Returns:
        The file.
    """
    global _handler
    path = workspace.logs / FILE
    with _lock:
        if _handler is not None and Path(_handler.baseFilename) == path:
            for log in _loggers_by_themselves():
                log.addHandler(_handler)  # one that has come since; the same handler is never added twice
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=OLDER_FILES, encoding="utf-8")
        except OSError as error:  # a dashboard without a log file is better than none
            logger.warning("The log file cannot be written: %s", error.strerror)
            return path
        handler.setFormatter(logging.Formatter(_FORMAT))
        _replace(_handler, handler)
        _handler = handler
    return path


def _replace(old: logging.Handler | None, new: logging.Handler) -> None:
    root = logging.getLogger()
    if not root.handlers:  # Python prints warnings by itself only as long as there is no other handler
        console = logging.StreamHandler()
        console.setLevel(logging.WARNING)
        console.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(console)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    for log in (root, *_loggers_by_themselves()):
        if old is not None:
            log.removeHandler(old)
        log.addHandler(new)
    if old is not None:
        old.close()


def _loggers_by_themselves() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.items())
    return [
        log
        for name, log in known
        if isinstance(log, logging.Logger) and not log.propagate and name.split(".")[0] in _NOT_PASSED_ON
    ]
