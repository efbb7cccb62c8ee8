"""The static check of a ``.keras`` file: a zip of three members, none of which is opened in Keras.

What is checked here costs milliseconds. The weights themselves are HDF5, which only a library in C can read: that is
left to the sandbox (`tl_core.imported_models.check.weights`).
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final

from tl_core.data.imports.archive import BROKEN_ZIP, ZipErrors, is_encrypted, is_plain_file, open_zip
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.architecture import LIMITS, Architecture, ModelLimits, read_architecture

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = "model.weights.h5"
_MEMBERS: Final = frozenset({CONFIG, METADATA, WEIGHTS})

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_SMALLEST_WEIGHT: Final = 2  # bytes

BROKEN: Final = (*BROKEN_ZIP, zlib.error, EOFError, RuntimeError, KeyError)


def check_model_file(file: BinaryIO | Path, *, classifier: bool = True, limits: ModelLimits = LIMITS) -> Architecture:
    """Check that a ``.keras`` file may be given to the process that opens models.

    Args:
        file: not trusted; a stream stays open.
        classifier: see `read_architecture`.
        limits: of the file and of what it asks for.

    Raises:
        ModelFileError: it may not; the message is one sentence.
    """
    with open_zip(file, limits.archive, _ERRORS) as archive:
        members = {info.filename: info for info in archive.infolist()}
        _check_members(archive.infolist(), members)
        config = _read(archive, members[CONFIG], LIMITS.config_bytes)
        architecture = read_architecture(config, classifier=classifier, limits=limits)
        _read(archive, members[METADATA], LIMITS.metadata_bytes)
        _check_weights(archive, members[WEIGHTS], architecture.parameters)
        return architecture


_ERRORS: Final = ZipErrors(
    error=ModelFileError,
    too_large="The model file has {size}, more than the {limit} allowed: bring a model with a smaller backbone.",
    not_a_zip=(
        "This is not a Keras model, or it is damaged or cut off: bring a .keras file, or the zip of a Keras export."
    ),
    too_many_members="The file lists far more parts than a model has, so it is not opened.",
)


def open_model_zip(file: BinaryIO | Path) -> AbstractContextManager[zipfile.ZipFile]:
    """An untrusted zip, of which nothing is known but that its table of contents is small enough to read.

    Raises:
        ModelFileError: it is not, or is no zip.
    """
    return open_zip(file, LIMITS.archive, _ERRORS)


def _check_members(infos: list[zipfile.ZipInfo], members: dict[str, zipfile.ZipInfo]) -> None:
    if members.keys() != _MEMBERS or len(infos) != len(_MEMBERS):
        raise ModelFileError(
            "The file does not hold the three parts of a Keras model (config.json, metadata.json, model.weights.h5) "
            "and nothing else, so it is not opened: bring a .keras file or the zip that this dashboard exported."
        )
    for info in infos:
        if is_encrypted(info):
            raise ModelFileError("The model file is protected by a password: bring it without one.")
        if not is_plain_file(info):
            raise ModelFileError("The model file holds a link in place of a part of the model: it is not opened.")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ModelFileError(
                "The parts of the model file are compressed, which Keras never does, so it is not opened: bring the "
                ".keras file as it was saved."
            )


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.file_size > limit:
        raise ModelFileError(
            f"The part {info.filename} of the model has {info.file_size / 1e6:,.1f} MB, more than the "
            f"{limit / 1e6:g} MB allowed: it is not opened."
        )
    return _start(archive, info, limit)


def _start(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> bytes:
    try:
        with archive.open(info) as member:
            return member.read(size)
    except BROKEN as error:
        raise ModelFileError(
            "The model file is damaged or cut off: export the model again and bring the new file."
        ) from error


def _check_weights(archive: zipfile.ZipFile, info: zipfile.ZipInfo, parameters: int) -> None:
    if _start(archive, info, len(_HDF5)) != _HDF5:
        raise ModelFileError(
            "The weights of the model are not in the format that Keras writes (HDF5), so it is not opened: export "
            "the model again and bring the new file."
        )
    if parameters * _SMALLEST_WEIGHT > info.file_size:
        raise ModelFileError(
            f"The model asks for {parameters / 1e6:,.1f} million weights, and the file has only "
            f"{info.file_size / 1e6:,.1f} MB of them: it is damaged or made up, and is not opened."
        )
