"""Builds one export in a process of its own: converters leave memory and state behind, and can be ended any time.

``python -m tl_core.export.building_process RUN FORMAT TARGET``. Exit code `CANNOT`: the file `REASON` beside the
target has the reason as a sentence.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tl_core.errors import TransferLearningError
from tl_core.export.building import Source
from tl_core.export.formats import get_format
from tl_core.runs import load_run

CANNOT: Final = 2  # exit code: the reason is in a file ...
REASON: Final = "reason.txt"  # ... beside the target


def main(run_path: Path, format_name: str, target: Path) -> int:
    """Build; returns the exit code."""
    try:
        get_format(format_name).build(Source(load_run(run_path)), target)
    except TransferLearningError as error:
        (target.parent / REASON).write_text(str(error), encoding="utf-8")
        return CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
