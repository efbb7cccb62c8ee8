"""Any image file becomes the one form that training and prediction both see.

An import stores ``normalise_image(data)``, and a training reads it with ``read_image``. A prediction takes
``stored_pixels(data)``: the same pixels, byte for byte, without the file. ``resize_image`` follows in both.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tl_core.data.decoding import (
    DECODING,
    END_OF_JPEG,
    FORMATS,
    JPEG_OPTIONS,
    MAX_SHORT_SIDE,
    OUTLIERS,
    as_stored,
    fit_to_square,
    is_lossless,
    pixels_of,
    readable,
    target_size,
)
from tl_core.data.heic import heic_as_png
from tl_core.data.imports.file_kinds import RAW_ADVICE, is_camera_raw, is_heic, unsupported_format
from tl_core.data.similarity import perceptual_hash
from tl_core.errors import ImageError

MAX_IMAGE_BYTES: Final = 25_000_000
MAX_PIXELS: Final = 50_000_000  # width x height from the file's header

_ANY_BYTES: Final = bytes(range(1, 255)) * 40  # no mark of a JPEG among them
_DAMAGED: Final = "The image is damaged or cut off and cannot be read completely."

_MOST_DRAWN: Final = 4_000_000_000  # pixels that all scans of a progressive JPEG draw, 5 s or so
_START_OF_SCAN: Final = b"\xff\xda"
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
    darkest: int  # grey level, 0-255; a thousandth of the pixels may be darker
    brightest: int  # grey level, 0-255; a thousandth of the pixels may be brighter


def normalise_image(data: bytes, decoding: int = DECODING) -> NormalisedImage:
    """Decode an untrusted image file into the stored form: PNG up to 256 x 256 pixels, else JPEG quality 95 4:4:4.

    Raises:
        ImageError: as `decode_image`.
    """
    pixels = decode_image(data, decoding)
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)  # from the pixels alone: no EXIF, GPS, profile or comment
    lossless = is_lossless(pixels)
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} if lossless else JPEG_OPTIONS))
    darkest, brightest = _range_of(image)
    return NormalisedImage(
        encoded=buffer.getvalue(),
        suffix=".png" if lossless else ".jpg",
        width=width,
        height=height,
        pixels_sha256=hashlib.sha256(f"{width}x{height}:".encode() + pixels.tobytes()).hexdigest(),
        perceptual_hash=perceptual_hash(image),
        darkest=darkest,
        brightest=brightest,
    )


def _range_of(image: Image.Image) -> tuple[int, int]:
    counted = np.cumsum(image.convert("L").histogram())
    aside = int(OUTLIERS * counted[-1])
    return int(np.searchsorted(counted, aside, "right")), int(np.searchsorted(counted, counted[-1] - aside))


def decode_image(data: bytes, decoding: int = DECODING) -> Pixels:
    """Decode an untrusted image file completely: upright uint8 RGB in [0, 255], ``(height, width, 3)``.

    The header is checked before anything is decoded. Then see `tl_core.data.decoding.pixels_of`.

    Args:
        data: the file.
        decoding: how, see `tl_core.data.decoding.DECODING`; of the dataset, or of the run that is asked.

    Raises:
        ImageError: the file is no readable image in an accepted format, or is too large.
    """
    if is_heic(data) and len(data) <= MAX_IMAGE_BYTES:
        data = heic_as_png(data, MAX_PIXELS, MAX_SHORT_SIDE)
    with _opened(data) as (image, mended, profile):
        if image.format == "PNG":
            # Pillow decodes a PNG without checking its checksums, and so would show damaged parts as a picture.
            with _complete(), Image.open(io.BytesIO(mended), formats=("PNG",)) as checked:
                checked.verify()
        _require_few_scans(image, mended)
        large = image.width * image.height > _LARGE_PIXELS
        with _large_image if large else contextlib.nullcontext(), _complete():
            if image.format in ("JPEG", "MPO") and not data.rstrip(b"\0").endswith(END_OF_JPEG):
                _require_end(mended)
            return pixels_of(image, mended, profile, decoding)


def _require_few_scans(image: Image.Image, data: bytes) -> None:
    """Refuse a JPEG that draws its picture thousands of times: a scan takes a dozen bytes, and time for all pixels.

    Raises:
        ImageError: it does.
    """
    if image.info.get("progressive"):
        scans = data.count(_START_OF_SCAN)  # within a scan no such bytes occur
        if scans * image.width * image.height > _MOST_DRAWN:
            raise ImageError(
                f"The JPEG draws its {image.width} × {image.height} pixels {scans:,} times over, which would take "
                "far too long: save it anew in a program for pictures."
            )


def _require_end(data: bytes) -> None:
    """Refuse a JPEG that was cut off; one that has lost nothing but its mark of the end is complete.

    Then the decoder has all it needs before the data ends, so that it does not matter what follows.

    Raises:
        ValueError: it ends too early.
    """
    seen = []
    for ending in (b"", _ANY_BYTES):
        with Image.open(
            io.BytesIO(data.removesuffix(END_OF_JPEG) + ending + END_OF_JPEG), formats=("JPEG",)
        ) as image:
            image.draft("RGB", target_size(*image.size))
            seen.append(image.tobytes())
    if seen[0] != seen[1]:
        raise ValueError("the pixels depend on what follows")


def stored_pixels(data: bytes, decoding: int = DECODING) -> Pixels:
    """The pixels that a model would see of this file if it were imported: ``(height, width, 3)`` uint8 RGB.

    Raises:
        ImageError: as `decode_image`.
    """
    return as_stored(decode_image(data, decoding))


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


def resize_image(image: Pixels, size: int, fit: str = "squeeze") -> Pixels:
    """A picture as a network sees it, ``(size, size, 3)`` uint8: `tl_core.data.decoding.fit_to_square`."""
    return fit_to_square(image, size, fit)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one model gets its pictures: the same in training, prediction and exports."""

    size: int  # pixels, width and height
    fit: str = "squeeze"  # what becomes of pictures that are not square: `tl_core.data.decoding.fit_to_square`
    decoding: int = DECODING  # `tl_core.data.decoding.DECODING` of the images it learned from

    def of_file(self, data: bytes) -> Pixels:
        """What the model sees of an untrusted image file, ``(size, size, 3)`` uint8.

        Raises:
            ImageError: as `decode_image`.
        """
        return self.of_pixels(stored_pixels(data, self.decoding))

    def of_stored(self, source: Path | bytes) -> Pixels:
        """What the model sees of a stored image, ``(size, size, 3)`` uint8.

        Raises:
            ImageError: as `read_image`.
        """
        return self.of_pixels(read_image(source))

    def of_pixels(self, picture: Pixels) -> Pixels:
        """What the model sees of a picture ``(height, width, 3)`` as it would be stored."""
        return fit_to_square(picture, self.size, self.fit)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[tuple[Image.Image, bytes, bytes | None]]:
    """Open ``data`` by its content and check the header; nothing is decoded yet.

    Also gives the file as it was opened, and its colour profile if that is no longer in it: see
    `tl_core.data.decoding.readable`.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(
            f"The image file has {len(data) / 1e6:.0f} MB, more than the {MAX_IMAGE_BYTES / 1e6:.0f} MB allowed: "
            "save it smaller, for instance as a JPEG."
        )
    if not data:
        raise ImageError("The file is empty (0 bytes): it may have been cut off on its way; bring it again.")
    if reason := unsupported_format(data):
        raise ImageError(reason)
    mended, profile = readable(data)
    try:
        image = Image.open(io.BytesIO(mended), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels("more than 89") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            "This is not an image, or is too damaged to be read: bring JPEG, PNG, TIFF, HEIC, WebP, BMP or GIF."
        ) from error
    except Exception as error:
        raise ImageError(_DAMAGED) from error  # on broken files the decoders raise errors of any kind
    with image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise _too_many_pixels(f"{pixels / 1e6:.0f}")
        if pixels == 0:
            raise ImageError("The image has no pixels.")
        if image.format == "TIFF" and is_camera_raw(getattr(image, "tag_v2", {})):
            raise ImageError(RAW_ADVICE)
        yield image, mended, profile


@contextlib.contextmanager
def _complete() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ImageError(_DAMAGED) from error  # on broken files the decoders raise errors of any kind


def _too_many_pixels(megapixels: str) -> ImageError:
    return ImageError(
        f"The image has {megapixels} megapixels, more than the {MAX_PIXELS / 1e6:.0f} allowed: "
        "save it with fewer pixels (training uses far fewer)."
    )
