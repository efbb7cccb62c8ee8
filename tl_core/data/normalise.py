"""Any image file becomes the one form that training and prediction both see.

An import stores ``normalise_image(data)``, and a training reads it with ``read_image``. A prediction takes
``stored_pixels(data)``: the same pixels, byte for byte, without the file. ``resize_image`` follows in both.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from tl_core.data.heic import heic_as_png
from tl_core.data.imports.file_kinds import is_heic, unsupported_format
from tl_core.data.similarity import perceptual_hash
from tl_core.errors import ImageError

MAX_IMAGE_BYTES: Final = 25_000_000
MAX_PIXELS: Final = 50_000_000  # width x height from the file's header
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # all other decoders of Pillow stay out of reach

MAX_SHORT_SIDE: Final = 640  # pixels; larger images are shrunk to this
MAX_LONG_SIDE: Final = 8192  # pixels; bounds panoramas, and stays below the 65,500 of a JPEG
LOSSLESS_PIXELS: Final = 256 * 256  # up to this many the stored copy is a PNG
JPEG_QUALITY: Final = 95

_TURNS: Final = {  # the value of the EXIF tag Orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BROKEN_EXIF = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)

_JPEG_OPTIONS: Final[dict[str, Any]] = {"format": "JPEG", "quality": JPEG_QUALITY, "subsampling": "4:4:4"}
_DAMAGED: Final = "The image is damaged or cut off and cannot be read completely."

_LARGE_PIXELS: Final = 16_000_000
_large_image = threading.Lock()  # large images are decoded one at a time, whatever the number of threads

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class NormalisedImage:
    """One image as it is stored: upright 8-bit RGB, without any metadata."""

    encoded: bytes
    suffix: str  # ".png" or ".jpg"
    width: int  # pixels
    height: int  # pixels
    pixels_sha256: str  # of size and RGB values, before encoding
    perceptual_hash: str  # see `tl_core.data.similarity`


def normalise_image(data: bytes) -> NormalisedImage:
    """Decode an untrusted image file into the stored form: PNG up to 256 x 256 pixels, else JPEG quality 95 4:4:4.

    Raises:
        ImageError: as `decode_image`.
    """
    pixels = decode_image(data)
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)  # from the pixels alone: no EXIF, GPS, profile or comment
    lossless = _is_lossless(pixels)
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} if lossless else _JPEG_OPTIONS))
    return NormalisedImage(
        encoded=buffer.getvalue(),
        suffix=".png" if lossless else ".jpg",
        width=width,
        height=height,
        pixels_sha256=hashlib.sha256(f"{width}x{height}:".encode() + pixels.tobytes()).hexdigest(),
        perceptual_hash=perceptual_hash(image),
    )


def decode_image(data: bytes) -> Pixels:
    """Decode an untrusted image file completely: upright uint8 RGB in [0, 255], ``(height, width, 3)``.

    The header is checked before anything is decoded. Then: first frame, shrunk to a short side of at most
    640 pixels (never enlarged), turned upright by its EXIF tag, 16 bits scaled to 8, any colour mode to
    RGB, transparency over white.

    Raises:
        ImageError: the file is no readable image in an accepted format, or is too large.
    """
    if is_heic(data) and len(data) <= MAX_IMAGE_BYTES:
        data = heic_as_png(data, MAX_PIXELS, MAX_SHORT_SIDE)
    with _opened(data) as image:
        if image.format == "PNG":
            # Pillow decodes a PNG without checking its checksums, and so would show damaged parts as a picture.
            with _complete(), Image.open(io.BytesIO(data), formats=("PNG",)) as checked:
                checked.verify()
        orientation = _orientation(image)
        # JPEG decodes at a half, quarter or eighth, 2-4 x faster, but at no less than twice the size it ends with, so
        # that nothing is lost.
        width, height = _target_size(*image.size)
        image.draft("RGB", (2 * width, 2 * height))
        large = image.width * image.height > _LARGE_PIXELS
        with _large_image if large else contextlib.nullcontext():
            with _complete():
                image.load()
            upright = _as_rgb(image)
            size = _target_size(*upright.size)
            if size != upright.size:
                upright = upright.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    if orientation in _TURNS:
        upright = upright.transpose(_TURNS[orientation])
    return np.asarray(upright)


def stored_pixels(data: bytes) -> Pixels:
    """The pixels that a model would see of this file if it were imported: ``(height, width, 3)`` uint8 RGB.

    Raises:
        ImageError: as `decode_image`.
    """
    pixels = decode_image(data)
    if _is_lossless(pixels):
        return pixels
    buffer = io.BytesIO()  # JPEG changes pixels a little, and the model was trained on such
    Image.fromarray(pixels).save(buffer, **_JPEG_OPTIONS)
    return read_image(buffer.getvalue())


def read_image(source: Path | bytes) -> Pixels:
    """Read a stored image (a file, or its encoded bytes): uint8 RGB in [0, 255], ``(height, width, 3)``.

    Raises:
        ImageError: the stored file is missing or damaged.
    """
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        name = source.name if isinstance(source, Path) else "in memory"
        raise ImageError(f"The stored image {name} is missing or damaged: import the dataset again.") from error


def resize_image(image: Pixels, size: int) -> Pixels:
    """Squeeze a whole image to ``(size, size, 3)`` uint8, bilinear with antialiasing."""
    if image.shape[:2] == (size, size):
        return image
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(resized)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open ``data`` by its content and check the header; nothing is decoded yet."""
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(
            f"The image file has {len(data) / 1e6:.0f} MB, more than the {MAX_IMAGE_BYTES / 1e6:.0f} MB allowed: "
            "save it smaller, for instance as a JPEG."
        )
    if reason := unsupported_format(data):
        raise ImageError(reason)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels("more than 89") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            "This is not an image, or is too damaged to be read: bring JPEG, PNG, HEIC, WebP, BMP or GIF."
        ) from error
    except Exception as error:
        raise ImageError(_DAMAGED) from error  # on broken files the decoders raise errors of any kind
    with image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise _too_many_pixels(f"{pixels / 1e6:.0f}")
        if pixels == 0:
            raise ImageError("The image has no pixels.")
        yield image


@contextlib.contextmanager
def _complete() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ImageError(_DAMAGED) from error  # on broken files the decoders raise errors of any kind


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN_EXIF:
        return 1  # a picture with unreadable EXIF data is still a picture


def _target_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, MAX_SHORT_SIDE / min(width, height), MAX_LONG_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    canvas = Image.new("RGB", layer.size, "white")
    canvas.paste(layer, mask=layer.getchannel("A"))
    return canvas


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey levels of 16 bits divided by 257, so that 65,535 becomes 255 (16-bit colour Pillow divides itself)."""
    levels = np.clip(np.asarray(image, dtype=np.int64), 0, 65_535)
    grey = ((levels + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _is_lossless(pixels: Pixels) -> bool:
    """Whether the stored copy has the very same pixels."""
    height, width = pixels.shape[:2]
    return int(height * width) <= LOSSLESS_PIXELS


def _too_many_pixels(megapixels: str) -> ImageError:
    return ImageError(
        f"The image has {megapixels} megapixels, more than the {MAX_PIXELS / 1e6:.0f} allowed: "
        "save it with fewer pixels (training uses far fewer)."
    )
