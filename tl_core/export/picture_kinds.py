"""Pictures of every kind of file that the dashboard reads, drawn by itself: an export has to see the same in each.

The validation images of a dataset are stored as 8-bit RGB, so they alone would not show how a file is decoded.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms

Array = npt.NDArray[Any]


def write_picture_kinds(folder: Path) -> list[Path]:
    """Write one picture of each kind into a new folder; returns the files."""
    folder.mkdir()
    paths = [folder / name for name in KINDS]
    for path, make in zip(paths, KINDS.values(), strict=True):
        path.write_bytes(make())
    return paths


def _scene(height: int, width: int, most: float = 255.0) -> Array:
    """Slopes and waves in three channels, 0 to ``most``."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = 0.5 + 0.5 * np.sin(20 * (across * down + down))
    return np.stack([across, down, waves], axis=-1) * most


def _file(pixels: Array, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=format, **options)
    return buffer.getvalue()


def _photograph(**options: Any) -> bytes:
    return _file(_scene(900, 1300).astype(np.uint8), "JPEG", quality=92, **options)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return _photograph(exif=exif.tobytes())


def _with_profile() -> bytes:
    return _photograph(icc_profile=wide_profile())


def wide_profile() -> bytes:
    """A colour profile whose colours are not those of sRGB: that of sRGB with red and blue exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile).replace(b"s\0R\0G\0B", b"w\0i\0d\0e").replace(b"sRGB", b"wide")


def _strokes(level: int) -> bytes:
    picture = np.full((120, 160, 4), level, np.uint8)
    picture[..., 3] = np.where((np.indices((120, 160)).sum(0) // 9) % 3, 0, 255)
    return _file(picture, "PNG")


# 64 x 48 pixels, to be turned: nothing that the dashboard needs writes this format.
_HEIC: Final = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAIQAAgAAAAACcAABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAA"
    "kAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq"
    "5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xh"
    "cAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEA"
    "AQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAALBtZGF0AAAAgCgBrwngOSMkv//23T//9/QeQ/YKWcF//eJvff3h"
    "R//7ZL1FdlXNieBAiKKJfMTUiviX+59BetcL/FEcZ/+3G6HYNWC3DDVP/2ZksDgCl25nKEFpTn6jyDEyVu9ul0P4n3fv4Gx4kfjf"
    "FXI4NJpzU+lEmTYfod+tejbXW1no/inYAAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)

KINDS: Final[dict[str, Callable[[], bytes]]] = {
    "photograph.jpg": _photograph,
    "turned.jpg": _turned,
    "profile.jpg": _with_profile,
    "cut.jpg": lambda: b"\r\n" + _photograph()[:-2],
    "large.png": lambda: _file(_scene(800, 700).astype(np.uint8), "PNG"),
    "grey-12-bits.png": lambda: _file(_scene(150, 200, 4095)[..., 2].astype(np.uint16), "PNG"),
    "grey-16-bits.tiff": lambda: _file(_scene(150, 200, 65_535)[..., 2].astype(np.uint16), "TIFF"),
    "float.tiff": lambda: _file(_scene(150, 200, 3.5)[..., 2].astype(np.float32), "TIFF"),
    "colour.tiff": lambda: _file(_scene(150, 200).astype(np.uint8), "TIFF", compression="tiff_lzw"),
    "white-on-nothing.png": lambda: _strokes(255),
    "black-on-nothing.png": lambda: _strokes(0),
    "palette.gif": lambda: _file(_scene(90, 120)[..., 2].astype(np.uint8), "GIF"),
    "still.webp": lambda: _file(_scene(150, 200).astype(np.uint8), "WEBP", lossless=True),
    "iphone.heic": lambda: base64.b64decode(_HEIC),
    "plain.bmp": lambda: _file(_scene(150, 200).astype(np.uint8), "BMP"),
}
"""File names, and what makes the files."""
