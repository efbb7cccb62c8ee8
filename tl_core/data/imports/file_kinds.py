"""The kind of a file, by its name (is it worth opening?) and by its first bytes (what should a person do?)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif"}
)
# Pictures that are not accepted still count as pictures: they are listed with the reason, and too many of
# them refuse the import, as broken ones do.
OTHER_PICTURE_SUFFIXES: Final = frozenset({".avif", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".ico"})
TABLE_SUFFIXES: Final = frozenset({".csv", ".tsv"})
ARCHIVE_SUFFIXES: Final = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"})

_JUNK_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_JUNK_FOLDERS = frozenset({"__macosx", "$recycle.bin", "system volume information", "@eadir"})

RAW_ADVICE: Final = (
    "This is a camera's raw file, which is not supported: export it as JPEG, or as TIFF, and bring that."
)
# Tags of a TIFF file (TIFF 6.0, DNG 1.7): a raw file has one of its own, or a small preview before the picture.
_SMALLER_VERSION, _INNER_PICTURES, _DNG_VERSION = 254, 330, 50706

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_SIGNATURES: Final = (  # first bytes -> the format's name
    (b"%PDF", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x01\x00", "icon (ICO)"),
    (b"SIMPLE  =", "FITS"),
)


def is_junk(parts: tuple[str, ...]) -> bool:
    """Whether a path is a system file of an operating system, or in a hidden folder."""
    named = [part.lower() for part in parts if part not in (".", "..")]
    hidden = any(part.startswith(".") or part in _JUNK_FOLDERS for part in named)
    return hidden or (bool(named) and named[-1] in _JUNK_FILES)


def is_picture_name(name: str) -> bool:
    """Whether a file of this name should be a picture; without a suffix, only its content decides."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix == "" or suffix in IMAGE_SUFFIXES or suffix in OTHER_PICTURE_SUFFIXES


def is_table_name(name: str) -> bool:
    """Whether a file of this name may be a table of labels."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def is_archive_name(name: str) -> bool:
    """Whether a file of this name is an archive."""
    return PurePosixPath(name).suffix.lower() in ARCHIVE_SUFFIXES


def is_heic(data: bytes) -> bool:
    """Whether a picture is HEIC, as iPhones take photos."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def unsupported_format(data: bytes) -> str | None:
    """The sentence for a picture in a known format that is not accepted; None if the format is not known."""
    if data[8:10] == b"CR" and data.startswith((b"II", b"MM")):
        return RAW_ADVICE
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return _unsupported("AVIF")
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return _unsupported(name)
    if _looks_like_svg(data):
        return _unsupported("SVG")
    return None


def is_camera_raw(tags: Mapping[int, Any]) -> bool:
    """Whether a TIFF file with these tags is a camera's raw file, of which only a small preview could be read."""
    preview = bool(int(tags.get(_SMALLER_VERSION, 0)) & 1) and _INNER_PICTURES in tags
    return preview or _DNG_VERSION in tags


def _looks_like_svg(data: bytes) -> bool:
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in data[:4096].lower()


def _unsupported(name: str) -> str:
    return f"Pictures in {name} format are not supported: save this one as JPEG or PNG and bring that."
