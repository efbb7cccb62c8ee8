"""What Keras by itself makes of some of the hostile files: that is what the check and the process are for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.hostile.bad_models import bomb
from tests.hostile.model_weights import not_numbers, weights
from tests.hostile.models import lambda_of_keras, padding_bomb

# For each file: Keras' result, and its peak memory in bytes.
OPEN_EACH = """
import json, sys, tracemalloc
from pathlib import Path
import keras, numpy as np

found = {}
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    tracemalloc.start()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        found[path.stem] = [type(error).__name__, tracemalloc.get_traced_memory()[1]]
        continue
    finally:
        tracemalloc.stop()
    kinds = sorted({type(layer).__name__ for layer in model._flatten_layers()})
    found[path.stem] = [kinds, 0]
    if path.stem == "nan":
        answer = np.asarray(model(np.zeros((1, 32, 32, 3), np.float32)))
        found["answer"] = bool(np.isfinite(answer).all())
print(json.dumps(found))
"""


@pytest.mark.slow
def test_keras_itself_opens_what_is_refused_here(tmp_path):
    hostile = {"lambda": lambda_of_keras(), "padding": padding_bomb(), "nan": weights(not_numbers), "bomb": bomb()}
    for name, data in hostile.items():
        (tmp_path / f"{name}.keras").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", OPEN_EACH, str(tmp_path)], capture_output=True, text=True, check=True, timeout=200
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert "Lambda" in found["lambda"][0], "a Lambda that calls a function of Keras is opened in safe mode"
    assert "ZeroPadding2D" in found["padding"][0], "13 GB between two layers are no obstacle"
    assert found["answer"] is False, "weights that are no numbers are opened, and answered with"
    what, grown = found["bomb"]
    assert isinstance(what, str)
    assert len(hostile["bomb"]) < 100_000
    assert grown > 40_000_000, "50 KB become 50 MB before anything is noticed"
