"""How a picture file becomes the pixels that a network sees, in Pillow and NumPy alone.

This file goes with every export as it is, and its code is a part of every generated program, so that they see what
the dashboard sees. It imports nothing of ours and refuses nothing: `tl_core.data.normalise` has the limits.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms

# How pictures are decoded. A model goes on with the way it was trained with. 1: 16 bits are divided by 257, the
# ground below transparency is white, colour profiles are ignored. 2: as the functions below say.
DECODING = 2
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF")  # all other decoders of Pillow stay out of reach

TURNED = 5  # orientations from this on are by a quarter turn
MAX_SHORT_SIDE = 640  # pixels; larger pictures are shrunk to this
MAX_LONG_SIDE = 8192  # pixels; bounds panoramas, and stays below the 65,500 of a JPEG
LOSSLESS_PIXELS = 256 * 256  # up to this many the stored copy is a PNG
JPEG_OPTIONS: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"}

BRIGHT = 170  # 0-255: what is brighter is laid over black, all else over white
OUTLIERS = 0.001  # share of the levels at either end that may be hot or dead pixels
BORDER = (124, 116, 104)  # the mean colour of ImageNet, which a pretrained network hardly notices
FITS = ("squeeze", "border", "crop")  # see `fit_to_square`
END_OF_JPEG = b"\xff\xd9"

_TURNS = {  # the value of the EXIF tag Orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error, zlib.error)
_LARGEST_PROFILE = 8_000_000  # bytes
_MOST_TEXT = 500_000  # bytes of a PNG's comments that Pillow gets to see
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}

Pixels = npt.NDArray[np.uint8]


def read_picture(data: bytes, size: int, fit: str = "squeeze", decoding: int = DECODING) -> Pixels:
    """What a network sees of a picture file: uint8 RGB ``(size, size, 3)``."""
    data, profile = readable(heic_as_png(data, 2 * MAX_SHORT_SIDE) if data[4:8] == b"ftyp" else data)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return fit_to_square(as_stored(pixels_of(image, data, profile, decoding)), size, fit)


def heic_as_png(data: bytes, smallest: int) -> bytes:
    """A photo of an iPhone as PNG, halved as often as its short side stays at least so many pixels."""
    import pi_heif  # pip install pi-heif

    pi_heif.register_heif_opener()
    with Image.open(io.BytesIO(data), formats=("HEIF",)) as photo:
        step = 1
        while step < 8 and min(photo.size) >= 2 * step * smallest:
            step *= 2
        buffer, profile = io.BytesIO(), photo.info.get("icc_profile")
        (photo.reduce(step) if step > 1 else photo).save(buffer, "PNG", icc_profile=profile, exif=b"")
    return buffer.getvalue()


def readable(data: bytes) -> tuple[bytes, bytes | None]:
    """The file as Pillow reads it, and its colour profile if that was taken out.

    A JPEG gets the end that it may have lost and loses what stands before it; a PNG loses large texts and its
    profile, because Pillow refuses the whole picture where they are large.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _without_text(data)
    start = data.find(b"\xff\xd8\xff", 0, 4096)
    if start == 0 or (start > 0 and not data.startswith((b"PK", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM"))):
        return data[start:] + (b"" if data.endswith(END_OF_JPEG) else END_OF_JPEG), None
    return data, None


def pixels_of(image: Image.Image, data: bytes, profile: bytes | None = None, decoding: int = DECODING) -> Pixels:
    """Decode an opened picture: upright uint8 RGB ``(height, width, 3)``, its short side at most 640 pixels.

    The first frame or page; any colour mode becomes sRGB by its colour profile; more than 8 bits are stretched from
    the picture's own darkest to its own brightest level; transparency lies over white, or over black where what is
    seen is bright.

    Args:
        image: as `Image.open` gives it, not yet loaded.
        data: the file, read once more for the low bytes of 16-bit colours.
        profile: its colour profile, where `readable` has taken it out.
        decoding: 1 or 2, see `DECODING`.
    """
    low_bytes = _open_low_bytes(image, data) if decoding > 1 else None  # first: what follows may load the picture
    orientation = 1 if image.format == "TIFF" else orientation_of(image)  # Pillow turns a TIFF itself
    # JPEG decodes at a half, quarter or eighth, 2-4 x faster, but at no less than twice the size it ends with, so
    # that nothing is lost.
    width, height = target_size(*image.size)
    image.draft("RGB", (2 * width, 2 * height))
    image.load()
    profile = (profile or image.info.get("icc_profile")) if decoding > 1 else None
    picture = _in_8_bits(image, low_bytes) if decoding > 1 else _in_8_bits_of_version_1(image)
    if picture.has_transparency_data:
        picture = _on_ground(picture, decoding)
    elif profile is None or picture.mode not in ("L", "CMYK"):  # whose profiles are for these very modes
        picture = _in_srgb(picture, None)
    size = target_size(*picture.size)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    picture = _in_srgb(picture, profile)
    return np.asarray(picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture)


def as_stored(pixels: Pixels) -> Pixels:
    """The pixels of the copy that a dataset keeps: of a large picture a JPEG, which changes them a little."""
    if is_lossless(pixels):
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **JPEG_OPTIONS)
    with Image.open(buffer, formats=("JPEG",)) as image:
        return np.array(image.convert("RGB"))


def is_lossless(pixels: Pixels) -> bool:
    """Whether the stored copy has the very same pixels."""
    height, width = pixels.shape[:2]
    return int(height * width) <= LOSSLESS_PIXELS


def fit_to_square(pixels: Pixels, size: int, fit: str = "squeeze") -> Pixels:
    """A picture as ``(size, size, 3)`` uint8, bilinear with antialiasing.

    Args:
        pixels: ``(height, width, 3)`` uint8 RGB.
        size: pixels.
        fit: ``squeeze`` takes the whole picture and loses its shape, ``border`` keeps both, ``crop`` takes the
            middle square.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    image, how = Image.fromarray(pixels), Image.Resampling.BILINEAR
    side = min(width, height)
    if fit == "crop":
        left, top = (width - side) / 2, (height - side) / 2
        return np.array(image.resize((size, size), how, box=(left, top, left + side, top + side)))
    if fit == "border" and width != height:
        scale = size / max(width, height)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        square = Image.new("RGB", (size, size), BORDER)
        square.paste(image.resize(inner, how), ((size - inner[0]) // 2, (size - inner[1]) // 2))
        return np.array(square)
    return np.array(image.resize((size, size), how))


def target_size(width: int, height: int) -> tuple[int, int]:
    """The size that a picture is shrunk to; it is never enlarged."""
    scale = min(1.0, MAX_SHORT_SIDE / min(width, height), MAX_LONG_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _without_text(data: bytes) -> tuple[bytes, bytes | None]:
    kept, profile, start, room = [data[:8]], None, 8, _MOST_TEXT
    while start + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        end = start + 12 + length
        content = data[start + 8 : end - 4] if kind in (b"iCCP", b"zTXt", b"tEXt", b"iTXt") else b""
        if kind == b"iCCP":
            profile = _inflated(content, _LARGEST_PROFILE) or profile
        elif content:  # cameras and programs may keep the orientation in it
            room -= len(_inflated(content, _MOST_TEXT + 1) or content) if kind == b"zTXt" else len(content)
        if not content or (kind != b"iCCP" and room >= 0):
            kept.append(data[start:end])
        start = end
    return b"".join([*kept, data[start:]]), profile


def _inflated(content: bytes, most: int) -> bytes | None:
    """What follows the name and the method in a compressed chunk of a PNG, up to so many bytes."""
    try:
        return zlib.decompressobj().decompress(content.partition(b"\0")[2][1:], most)
    except zlib.error:
        return None


def orientation_of(image: Image.Image) -> int:
    """How the camera was held, as EXIF tells it: 1-8, from 5 on width and height change places when it is shown."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN:
        return 1  # a picture with unreadable EXIF data is still a picture


def _in_8_bits_of_version_1(image: Image.Image) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.clip(np.nan_to_num(np.asarray(image, np.float64)), 0, 65_535).astype(np.int64)
    grey = ((levels + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return Image.fromarray(grey)


def _open_low_bytes(image: Image.Image, data: bytes) -> tuple[Image.Image, str] | None:
    """The same file, set up to read the low byte of each 16-bit colour, where Pillow reads the high one alone.

    And what the file holds: ``RGB``, ``RGBA``, ``RGBX``, or ``LA``, of which all four bytes are read as channels.
    """
    tiles: list[Any] = getattr(image, "tile", [])
    tile = tiles[0] if tiles else None
    how = tile.args if tile and isinstance(tile.args, tuple) else (tile.args,) if tile else ()
    mode, _, order = how[0].partition(";16") if how and isinstance(how[0], str) else ("", "", "")
    if mode not in ("RGB", "RGBA", "RGBX", "LA") or order not in _OTHER_BYTE:
        return None
    low: Any = Image.open(io.BytesIO(data), formats=FORMATS)
    other = "RGBA" if mode == "LA" else f"{mode};16{_OTHER_BYTE[order]}"
    low.tile = [one._replace(args=(other, *how[1:]) if isinstance(one.args, tuple) else other) for one in low.tile]
    return low, mode


def _in_8_bits(image: Image.Image, low_bytes: tuple[Image.Image, str] | None) -> Image.Image:
    """A picture of more than 8 bits stretched by its own range; any other as it is."""
    transparent = image.info.get("transparency")
    alpha: npt.NDArray[Any] | None = None
    if low_bytes is not None:
        low, mode = np.asarray(low_bytes[0]), low_bytes[1]
        high = low if mode == "LA" else np.asarray(image)
        levels = high[..., :3].astype(np.uint16) << 8 | low[..., :3]
        if mode == "LA":
            levels, alpha = low[..., 0].astype(np.uint16) << 8 | low[..., 1], low[..., 2]
        elif mode == "RGBA":
            alpha = high[..., 3]
    elif image.mode.startswith(("I", "F")):
        levels = np.asarray(image)
    else:
        return image
    if isinstance(transparent, int | tuple):  # one level, or one colour, is
        same = levels == np.array(transparent)
        alpha = np.where(same if same.ndim == 2 else same.all(axis=2), 0, 255).astype(np.uint8)
    picture = Image.fromarray(_stretched(levels))
    if alpha is not None:
        picture.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return picture


def _stretched(levels: npt.NDArray[Any]) -> Pixels:
    """Numbers of any type and range as 0-255, from the darkest to the brightest of them, outliers aside."""
    if levels.dtype == np.uint16:  # a table is faster, and needs less memory
        values, table = levels, np.arange(65_536, dtype=np.float32)
    else:
        values = table = np.nan_to_num(levels.astype(np.float32), posinf=0.0, neginf=0.0)
    every = max(1, values.size // 1_000_000)
    ordered = np.sort(values.ravel()[::every])
    aside = int(OUTLIERS * ordered.size)
    low, high = float(ordered[aside]), float(ordered[-1 - aside])
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:  # one colour, and nothing to stretch
        return np.asarray(np.clip(values / 257, 0, 255).astype(np.uint8))
    scaled = np.round(np.clip((table - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return np.asarray(scaled[values] if levels.dtype == np.uint16 else scaled)


def _on_ground(picture: Image.Image, decoding: int) -> Image.Image:
    layer = picture.convert("RGBA")
    alpha = layer.getchannel("A")
    small = np.asarray(layer.resize((64, 64), Image.Resampling.BOX), np.float64)
    light, weight = small[..., :3] @ (0.299, 0.587, 0.114), small[..., 3]
    bright = decoding > 1 and (light * weight).sum() > BRIGHT * weight.sum()
    ground = Image.new("RGB", layer.size, "black" if bright else "white")
    ground.paste(layer, mask=alpha)
    return ground


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours in sRGB; a profile that is broken, or of another kind than the picture, does not count."""
    if profile is None and picture.mode != "LAB":
        return picture if picture.mode == "RGB" else picture.convert("RGB")  # which copies also what is RGB
    srgb = ImageCms.createProfile("sRGB")
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
        if "sRGB" in (given.profile.profile_description or ""):
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(picture, given, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, *_BROKEN):
        return picture.convert("RGB")
    return converted or picture.convert("RGB")
