"""The program that goes with an exported file: it needs the file's runtime, Pillow and NumPy, and nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tl_core.export.formats import ExportFormat
from tl_core.inference.calibration import Calibration

NAME: Final = "predict.py"

_HEAD: Final = '''\
"""What is on these pictures?   python predict.py PICTURE ...

Needs: pip install {packages} pillow numpy
"""
'''
_READING: Final = """\
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    batch = np.asarray(image.resize(({size}, {size}), Image.Resampling.BILINEAR), np.float32)[np.newaxis]
"""
_SIGMOID: Final = "    probabilities = np.array([1 - probabilities[0], probabilities[0]])  # of both classes\n"
_TEMPERATURE: Final = """\
    odds = (np.maximum(probabilities, 1e-12) / probabilities.max()) ** (1 / {temperature!r})  # honest probabilities
    probabilities = odds / odds.sum()
"""
_ANSWER: Final = """\
    answer = LABELS[probabilities.argmax()]
"""
_REJECT: Final = """\
    answer = LABELS[probabilities.argmax()] if probabilities.max() >= {threshold!r} else "I don't know"
"""


def predict_script(form: ExportFormat, image_size: int, outputs: int, confidence: Calibration) -> str:
    """Write the program.

    Args:
        form: whose file it uses.
        image_size: width and height of the model's input, in pixels.
        outputs: numbers that the model returns per image; 1 = the probability of the second of two classes.
        confidence: the temperature and the threshold that it applies.

    Returns:
        Python with a function ``predict(path)`` that returns one probability per line of ``labels.txt``.
    """
    return "".join(_pieces(form, image_size, outputs, confidence))


def _pieces(form: ExportFormat, image_size: int, outputs: int, confidence: Calibration) -> Iterator[str]:
    runtime = form.runtime
    yield _HEAD.format(packages=runtime.packages)
    yield _lines("import sys", "from pathlib import Path", "", "import numpy as np", *runtime.imports)
    yield _lines("from PIL import Image, ImageOps", "", "HERE = Path(__file__).parent")
    yield _lines('LABELS = (HERE / "labels.txt").read_text(encoding="utf-8").splitlines()', *runtime.load)
    yield _lines("", "", "def predict(path):", '    """One probability per label."""')
    yield _READING.format(size=image_size)
    yield _lines(*(f"    {line}" for line in runtime.ask))
    if outputs == 1:
        yield _SIGMOID
    if confidence.temperature != 1:
        yield _TEMPERATURE.format(temperature=confidence.temperature)
    yield _lines("    return probabilities", "", "", "for path in sys.argv[1:]:", "    probabilities = predict(path)")
    yield _REJECT.format(threshold=confidence.threshold) if confidence.threshold else _ANSWER
    yield _lines('    print(f"{path}: {answer} ({probabilities.max():.1%})")')


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
