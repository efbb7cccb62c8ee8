"""Limits of an imported model file and of the process that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tl_core.data.imports.archive import ArchiveLimits

_ARCHIVE: Final = ArchiveLimits(file_bytes=200_000_000, members=100, directory_bytes=100_000)  # also of a bare file


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLimits:
    """Bounds of a file, of the network it describes, and of the process that opens it."""

    archive: ArchiveLimits = _ARCHIVE
    text_bytes: int = 1_000_000  # class names or manifest
    metadata_bytes: int = 10_000
    config_bytes: int = 5_000_000
    config_values: int = 250_000  # the largest of our own has 65,000
    config_depth: int = 60  # ours have 15
    nested_models: int = 4  # models within models; ours have 3
    number: int = 16_384  # units, filters, strides, padding, ...
    shape: int = 4_000_000  # one dimension of a shape that a layer is built for
    parameters: int = 100_000_000
    image_size: tuple[int, int] = (16, 1024)  # pixels
    classes: int = 10_000
    memory_bytes: int = 2 << 30  # of the process that opens it, above what the libraries take
    load_seconds: float = 60.0
    ask_seconds: float = 60.0  # for a few images


LIMITS: Final = ModelLimits()
