"""Predicts pictures with an exported file, through the program that goes with it.

Started by path in a process of its own, so that neither this code nor anything the dashboard has loaded can help:
``python -P prediction_process.py FOLDER PICTURES.json ANSWERS.npz``.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    """Write one row of probabilities, and one novelty, per picture."""
    folder, pictures, answers = sys.argv[1:]
    sys.argv[1:] = []  # the program predicts each of its arguments; here it only defines its function
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # nothing is reported to anybody
    look = runpy.run_path(str(Path(folder) / "predict.py"))["look"]
    paths = json.loads(Path(pictures).read_text(encoding="utf-8"))
    told = [look(path) for path in paths]
    probabilities = np.stack([np.asarray(one, np.float32) for one, _ in told])
    np.savez(answers, probabilities=probabilities, novelty=np.array([novelty for _, novelty in told], np.float32))


if __name__ == "__main__":
    main()
