"""Good pictures to build tests from, and bad ones with the verdict each must get."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, width: int = 40, height: int = 30) -> Image.Image:
    """A picture that no other seed gives."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def png(seed: int, width: int = 40, height: int = 30) -> bytes:
    return encoded(noise(seed, width, height))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(width: int, height: int, bits: int, colour: int, scanlines: bytes, *extra: bytes) -> bytes:
    """A PNG put together by hand; ``scanlines`` already begin with their filter bytes."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(scanlines, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body + png_chunk(b"IEND", b"")


def flood_png() -> bytes:
    """196 megapixels of one bit in some 24 KB."""
    return raw_png(14_000, 14_000, 1, 0, bytes(14_000 * (14_000 // 8 + 1)))


def png_header_only(width: int, height: int) -> bytes:
    return raw_png(width, height, 8, 2, b"")


def gif_header(width: int, height: int) -> bytes:
    image = bytearray(encoded(Image.new("P", (4, 4)), "GIF"))
    image[6:10] = struct.pack("<HH", width, height)
    return bytes(image)


def bmp_header(width: int, height: int) -> bytes:
    image = bytearray(encoded(Image.new("RGB", (4, 4)), "BMP"))
    image[18:26] = struct.pack("<ii", width, height)
    return bytes(image)


def tiff_header(width: int, height: int) -> bytes:
    image = bytearray(encoded(Image.new("L", (4, 4)), "TIFF"))
    first = struct.unpack("<I", image[4:8])[0]
    for place in range(first + 2, first + 2 + 12 * struct.unpack("<H", image[first : first + 2])[0], 12):
        tag = struct.unpack("<H", image[place : place + 2])[0]
        if tag in (256, 257):
            image[place : place + 12] = struct.pack("<HHII", tag, 4, 1, width if tag == 256 else height)
    return bytes(image)


def isobmff(brand: bytes) -> bytes:
    """The first bytes of a HEIC or AVIF file."""
    return struct.pack(">I", 24) + b"ftyp" + brand + b"\0\0\0\0" + b"mif1" + brand + bytes(200)


def heic_photo() -> bytes:
    """As a telephone held upright takes it: stored 64 x 48, to be turned, then red above blue."""
    return (Path(__file__).parent / "turned.heic").read_bytes()


def crashing_heic() -> bytes:
    """A photo with one changed byte, which ends the process that has libheif 1.23.0 read it."""
    photo = bytearray(heic_photo())
    photo[330] = 88
    return bytes(photo)


def broken_exif_jpeg() -> bytes:
    return encoded(noise(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)


def text_bomb_png() -> bytes:
    """A compressed comment of 100 MB in a PNG of 4 pixels."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    return raw_png(2, 2, 8, 0, bytes(6), png_chunk(b"zTXt", b"Comment\0\0" + packed))


def scan_bomb_jpeg() -> bytes:
    """A progressive JPEG of 240 KB whose last, empty scan comes 20,000 times: each takes time for all its pixels."""
    data = encoded(Image.new("L", (512, 512), 100), "JPEG", progressive=True)
    end = data.rindex(b"\xff\xd9")
    return data[:end] + data[data.rindex(b"\xff\xda") : end] * 20_000 + data[end:]


def damaged_middle(data: bytes) -> bytes:
    start = len(data) // 3
    return data[:start] + b"\0" * 200 + data[start + 200 :]


@dataclass(frozen=True)
class BadPicture:
    """A file that must be refused, and a part of the sentence with the reason."""

    name: str
    make: Callable[[], bytes]
    says: str

    def __str__(self) -> str:
        return self.name


_PHOTO = encoded(noise(7, 200, 150), "JPEG")
_NOT_AN_IMAGE = "not an image"
_DAMAGED = "damaged or cut off"

BAD_PICTURES = (
    BadPicture("empty", lambda: b"", "The file is empty"),
    BadPicture("one byte", lambda: b"\xff", _NOT_AN_IMAGE),
    BadPicture("text", lambda: b"I am a text file, whatever my name says.\n", _NOT_AN_IMAGE),
    BadPicture("html", lambda: b"<!doctype html><script>alert(1)</script>", _NOT_AN_IMAGE),
    BadPicture("random bytes", lambda: np.random.default_rng(0).bytes(5000), _NOT_AN_IMAGE),
    BadPicture("zip", lambda: b"PK\x03\x04" + bytes(100), _NOT_AN_IMAGE),
    BadPicture("heic", lambda: isobmff(b"heic"), _DAMAGED),
    BadPicture("heic sequence", lambda: isobmff(b"hevc"), _DAMAGED),
    BadPicture("heic cut off", lambda: heic_photo()[:-100], _DAMAGED),
    BadPicture("heic that crashes its decoder", crashing_heic, _DAMAGED),
    BadPicture("jpeg of thousands of scans", scan_bomb_jpeg, "times over"),
    BadPicture("avif", lambda: isobmff(b"avif"), "AVIF format"),
    BadPicture("tiff cut off", lambda: encoded(noise(2), "TIFF")[:-1500], _DAMAGED),
    BadPicture("raw", lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(200), "raw file"),
    BadPicture("2 gigapixels in a tiff", lambda: tiff_header(60_000, 40_000), "megapixels"),
    BadPicture("jpeg 2000", lambda: b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(50), "JPEG 2000 format"),
    BadPicture("eps", lambda: encoded(noise(2), "EPS"), "EPS format"),
    BadPicture("pdf", lambda: encoded(noise(2), "PDF"), "PDF format"),
    BadPicture("icon", lambda: encoded(noise(2), "ICO"), "ICO"),
    BadPicture("photoshop", lambda: b"8BPS\0\1" + bytes(50), "Photoshop format"),
    BadPicture("svg", lambda: b'<?xml version="1.0"?>\n<svg onload="alert(1)"/>', "SVG format"),
    BadPicture("ppm", lambda: encoded(noise(2), "PPM"), _NOT_AN_IMAGE),
    BadPicture("tga", lambda: encoded(noise(2), "TGA"), _NOT_AN_IMAGE),
    BadPicture("196 megapixels", flood_png, "more than the 50 allowed"),
    BadPicture("60 megapixels in a header", lambda: png_header_only(10_000, 6_000), "60 megapixels"),
    BadPicture("2 gigapixels in a gif", lambda: gif_header(65_535, 32_767), "megapixels"),
    BadPicture("100 megapixels in a bmp", lambda: bmp_header(10_000, 10_000), "megapixels"),
    BadPicture("26 MB", lambda: _PHOTO + bytes(26_000_000), "26 MB"),
    BadPicture("jpeg cut off", lambda: _PHOTO[: len(_PHOTO) // 2], _DAMAGED),
    BadPicture("png cut off", lambda: png(3, 200, 150)[:-5000], _DAMAGED),
    BadPicture("webp cut off", lambda: encoded(noise(3, 200, 150), "WEBP")[:-3000], "damaged"),
    BadPicture("gif cut off", lambda: encoded(noise(3, 200, 150), "GIF")[:-9000], _DAMAGED),
    BadPicture("bmp cut off", lambda: encoded(noise(3, 200, 150), "BMP")[:-9000], _DAMAGED),
    BadPicture("png with a wrong checksum", lambda: damaged_middle(png(4, 200, 150)), _DAMAGED),
    BadPicture("png without pixels", lambda: raw_png(8, 8, 8, 2, b""), _DAMAGED),
    BadPicture("png header alone", lambda: png(5)[:33], "damaged"),
)
