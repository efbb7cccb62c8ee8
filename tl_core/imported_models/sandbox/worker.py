"""The process that opens an imported model and predicts with it; what fails in here harms nothing else.

Started by `model_server` as ``python -m tl_core.imported_models.sandbox.worker FILE SHA256``. It reads frames of
pictures from standard input and writes frames of probabilities to standard output, until its input ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from tl_core.errors import ModelFileError
from tl_core.imported_models.check.architecture import LIMITS, Architecture
from tl_core.imported_models.check.model_file import WEIGHTS, check_model_file
from tl_core.imported_models.check.weights import check_weights
from tl_core.imported_models.sandbox.frames import read_frame, write_frame
from tl_core.imported_models.sandbox.limits import (
    forbid_everything_else,
    lift_memory_limit,
    limit_memory,
    limit_writing,
)
from tl_core.storage.files import sha256_of

logger = logging.getLogger(__name__)

PROBE_IMAGES: Final = 2  # of random pixels, predicted before the model counts as open
SUM_TOLERANCE: Final = 1e-2  # of the probabilities of one image; half precision needs that much
CHECKING_BYTES: Final = 1 << 30  # memory for inspecting the file, above what Python takes
NEEDED_TIMES_FILE: Final = 4  # memory for the file, its weights, and both once more while they are put in place


def main(path: Path, sha256: str) -> None:
    """Open the model, then predict until the input ends."""
    answers, questions = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer  # for frames alone ...
    os.dup2(2, 1)  # ... whatever else prints something goes to standard error
    with sentences(answers):
        write_frame(answers, {"stage": "Checking the file"})
        limit_writing()
        limit_memory(CHECKING_BYTES + NEEDED_TIMES_FILE * path.stat().st_size)
        architecture, numbers = _check(path, sha256)
        write_frame(answers, {"stage": "Loading the libraries"})
        lift_memory_limit()
        import keras

        _warm_up(keras)
        limit_memory(LIMITS.memory_bytes + NEEDED_TIMES_FILE * path.stat().st_size)
        forbid_everything_else(path)
        write_frame(answers, {"stage": "Opening the model"})
        model = _open(keras, path, architecture, numbers)
        write_frame(answers, {"stage": "Asking it for the first time"})
        shape = (PROBE_IMAGES, architecture.image_size, architecture.image_size, 3)
        _probabilities(model, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), architecture.logits)
        write_frame(answers, {"ready": True})
        while (frame := read_frame(questions)) is not None:
            values, data = frame
            images = np.frombuffer(data, np.uint8).reshape(values["shape"])
            given = _probabilities(model, images, architecture.logits, values["scaling"])
            write_frame(answers, {"shape": list(given.shape)}, given.tobytes())


@contextlib.contextmanager
def sentences(answers: BinaryIO) -> Iterator[None]:
    """Answer with a sentence if the block fails."""
    try:
        yield
    except ModelFileError as error:
        write_frame(answers, {"error": str(error)})
    except MemoryError:
        write_frame(answers, {"error": TOO_MUCH_MEMORY})
    except Exception as error:  # Keras and TensorFlow raise errors of every kind on a file that is not right
        logger.exception("A model from a file could not be used")
        too_much = type(error).__name__ in ("ResourceExhaustedError", "MemoryError")
        write_frame(answers, {"error": TOO_MUCH_MEMORY if too_much else CANNOT_OPEN})


TOO_MUCH_MEMORY: Final = (
    "The model needs more memory than a model from a file may have, so it was closed: bring one with a smaller "
    "backbone or smaller images."
)
CANNOT_OPEN: Final = (
    "Keras cannot open the model (the server's log says why): it may be damaged or made by another version; export "
    "it again and bring the new file."
)


def _warm_up(keras: Any) -> None:
    """Let the libraries load what they load on first use, before that is forbidden."""
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(features))
    keras.ops.convert_to_numpy(model(keras.ops.zeros((1, 8, 8, 3)), training=False))
    keras.models.model_from_json(model.to_json())


def _check(path: Path, sha256: str) -> tuple[Architecture, int]:
    """Before Keras is even loaded: the file is still the imported one, and its weights are plain arrays."""
    if sha256_of(path) != sha256:
        raise ModelFileError(
            "The model file in the workspace was changed since it was brought, so it is not used: forget it and open "
            "the original again."
        )
    architecture = check_model_file(path)
    with zipfile.ZipFile(path) as archive:
        return architecture, check_weights(archive.read(WEIGHTS))  # reading also compares the checksum


def _open(keras: Any, path: Path, architecture: Architecture, numbers: int) -> Any:
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    if model.count_params() > numbers:
        raise ModelFileError(
            "The file holds fewer weights than its network has: export the model again and bring the new file."
        )
    size = architecture.image_size
    if model.input_shape[1:] != (size, size, 3) or model.output_shape != (None, architecture.outputs):
        raise ModelFileError(CANNOT_OPEN)
    return model


_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "built_in": (1.0, 0.0),
    "zero_to_one": (1 / 255, 0.0),
    "minus_one_to_one": (1 / 127.5, -1.0),
}
"""By what images of 0 to 255 are multiplied, and what is added, before the model gets them."""


def _probabilities(model: Any, images: Any, logits: bool, scaling: str = "built_in") -> Any:
    """The model's output for these images, once it is known to be probabilities, or made of its scores."""
    import keras

    scale, offset = _RANGES[scaling]
    scaled = keras.ops.convert_to_tensor(images.astype(np.float32) * np.float32(scale) + np.float32(offset))
    given = np.asarray(keras.ops.convert_to_numpy(model(scaled, training=False)), np.float32)
    if logits and np.isfinite(given).all():
        scores = np.concatenate([np.zeros_like(given), given], axis=1) if given.shape[1] == 1 else given
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        given = (powers / powers.sum(axis=1, keepdims=True))[:, -given.shape[1] :]
    proper = np.isfinite(given).all() and (given >= 0).all() and (given <= 1 + SUM_TOLERANCE).all()
    if not proper or (given.shape[1] > 1 and np.abs(given.sum(axis=1) - 1).max() > SUM_TOLERANCE):
        raise ModelFileError("The model does not answer with probabilities, so it is not used: train it again.")
    return given


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
