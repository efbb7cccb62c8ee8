"""One HTML file with a model, TensorFlow.js and everything else in it, which needs no network and no installation.

Its code is in ``assets``: ``pixels.js`` and ``jpeg.js`` prepare pictures as the dashboard does, ``model.js`` asks the
model as the program of every other export does, and ``page.js`` has the camera and what is seen of the answers. The
page forbids itself to load or send anything, and compares its answers to a few pictures with the dashboard's when it
is opened.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from tl_core.data.decoding import BORDER, BRIGHT, LOSSLESS_PIXELS, MAX_LONG_SIDE, MAX_SHORT_SIDE
from tl_core.data.normalise import Reading
from tl_core.export.browser.graph_model import MODEL
from tl_core.export.browser.library import TENSORFLOW_JS
from tl_core.inference.calibration import Calibration
from tl_core.inference.novelty import Novelty

_ASSETS: Final = Path(__file__).with_name("assets")
_SCRIPTS: Final = ("pixels.js", "jpeg.js", "model.js", "page.js")
_PIECE: Final = 3 << 20  # bytes made into text at a time; a multiple of 3, so that the texts can be joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A picture that the page asks its model about when it is opened, and the dashboard's answer."""

    picture: bytes  # a file that every browser reads
    probabilities: Sequence[float]
    novelty: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a page knows besides the model itself."""

    name: str
    classes: Sequence[str]
    made: str  # the day
    reading: Reading
    sigmoid: bool
    calibration: Calibration
    known: Novelty | None  # what the model was taught, where it refuses what is unlike that
    checks: Sequence[Check]


def write_page(target: Path, model: Path, library: Path, content: Content) -> None:
    """Write the file.

    Args:
        target: where to.
        model: folder with ``model.json``.
        library: TensorFlow.js.
        content: what goes with them.
    """
    described = json.loads((model / MODEL).read_text(encoding="utf-8"))
    (group,) = described["weightsManifest"]
    weights = (piece for path in group["paths"] for piece in _pieces(model / path))
    blocks: dict[str, Iterable[bytes]] = {
        "style": [(_ASSETS / "page.css").read_bytes()],
        "title": [html.escape(content.name).encode()],
        "facts": [_json(_facts(content))],
        "model": [_json(described)],
        "known": _base64([_numbers(content.known)]),
        "weights": _base64(weights),
        "library": [library.read_bytes()],
        "scripts": [(_ASSETS / name).read_bytes() for name in _SCRIPTS],
    }
    with target.open("wb") as file:
        _fill((_ASSETS / "page.html").read_bytes(), blocks, file)


def _fill(page: bytes, blocks: Mapping[str, Iterable[bytes]], file: BinaryIO) -> None:
    """Write a page with each ``{{name}}`` in it exchanged for the pieces of that block."""
    text, *rest = page.split(b"{{")
    file.write(text)
    for part in rest:
        name, _, text = part.partition(b"}}")
        for piece in blocks[name.decode()]:
            file.write(piece)
        file.write(text)


def _facts(content: Content) -> dict[str, Any]:
    reading, known, calibration = content.reading, content.known, content.calibration
    return {
        "name": content.name,
        "classes": list(content.classes),
        "made": content.made,
        "library": f"{TENSORFLOW_JS.title}, {TENSORFLOW_JS.licence}",
        "size": reading.size,
        "fit": reading.fit,
        "decoding": reading.decoding,
        "border": BORDER,
        "bright": BRIGHT,
        "lossless": LOSSLESS_PIXELS,
        "shortSide": MAX_SHORT_SIDE,
        "longSide": MAX_LONG_SIDE,
        "sigmoid": content.sigmoid,
        "temperature": calibration.temperature,
        "threshold": calibration.threshold,
        "known": None if known is None else _sizes(known, calibration.accepted),
        "checks": [
            {
                "picture": base64.b64encode(check.picture).decode(),
                "probabilities": [float(share) for share in check.probabilities],
                "novelty": check.novelty,
            }
            for check in content.checks
        ],
    }


def _sizes(known: Novelty, accepted: float) -> dict[str, Any]:
    """What tells the numbers of `_numbers` apart, and the largest distance of something known."""
    return {
        "components": len(known.components),
        "values": len(known.mean),
        "rows": len(known.rows),
        "limit": known.limit(accepted),
    }


def _numbers(known: Novelty | None) -> bytes:
    """Mean, scale, components and rows as float32, one after the other."""
    if known is None:
        return b""
    parts: list[npt.NDArray[Any]] = [known.mean, known.scale, known.components, known.rows]
    return b"".join(np.asarray(part, "<f4").tobytes() for part in parts)


def _json(value: Any) -> bytes:
    """JSON that cannot end the element of the page in which it stands."""
    return json.dumps(value).replace("<", "\\u003c").encode()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One text in base64, whatever the lengths of the pieces."""
    left = b""
    for piece in pieces:
        left += piece
        whole = len(left) - len(left) % 3
        yield base64.b64encode(left[:whole])
        left = left[whole:]
    yield base64.b64encode(left)
