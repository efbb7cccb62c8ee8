"""Importing a model file into the workspace: check it, copy it, describe it."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from tl_core.data.imports.archive import inflates_too_much, is_encrypted
from tl_core.data.imports.file_kinds import is_junk
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.architecture import LIMITS, Architecture
from tl_core.imported_models.check.manifest import (
    LABELS,
    LABELS_AS_JSON,
    MANIFEST,
    Manifest,
    checked_classes,
    names_in_lines,
    shown_title,
)
from tl_core.imported_models.check.model_file import BROKEN, CONFIG, check_model_file, open_model_zip
from tl_core.imported_models.store import MODEL, ImportedModel, list_imported_models, save_record
from tl_core.runs.store import now
from tl_core.storage.files import sha256_of
from tl_core.storage.ownership import claim
from tl_core.storage.quota import forget_usage, require_within_quota
from tl_core.storage.workspace import Workspace, new_id

_UNFINISHED: Final = ".bringing-"  # prefix of a folder that is not a model yet
_PIECE: Final = 1 << 20


def inspect_file(file: BinaryIO) -> Architecture | None:
    """Check what can be checked at once, before anything of a file is stored.

    Returns:
        Of a bare ``.keras`` file, which needs class names; None = a zip with a model in it.

    Raises:
        ModelFileError: it is neither, or is refused.
    """
    with open_model_zip(file) as archive:
        names = archive.namelist()
    if CONFIG in names:
        return check_model_file(file)
    _model_member(names)
    return None


def import_model(
    workspace: Workspace, file: BinaryIO | Path, file_name: str, names: Sequence[str] | None = None
) -> ImportedModel:
    """Check a model file statically and store it in the workspace; Keras does not read it here.

    Args:
        workspace: where it is stored; a file that is there already is not stored twice.
        file: a ``.keras`` file, or the zip of an export with one in it. Not trusted.
        file_name: its original name, shown on pages.
        names: the classes in the order of the model's outputs; needed where the file does not contain them.

    Raises:
        ModelFileError: it is refused, or class names are missing or do not fit; the message is one sentence.
        WorkspaceError: the workspace is full or cannot be written.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
        with open_model_zip(stream) as archive:  # before a byte of it is copied
            description = _Description.of(archive)
        require_within_quota(workspace, needed=description.size or stream.seek(0, 2))
        workspace.models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=workspace.models) as temporary:
            folder = Path(temporary) / "model"
            folder.mkdir()
            _copy(stream, description.member, folder / MODEL)
            model = _describe(folder, file_name, description, names)
            return _store(workspace, model)


@dataclass(frozen=True, slots=True)
class _Description:
    """What an exported zip states about its model; empty for a bare file."""

    member: str | None = None  # name of the model in the zip
    size: int = 0  # bytes of the model, unpacked
    manifest: Manifest | None = None
    classes: Sequence[str] | None = None

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> _Description:
        names = archive.namelist()
        if CONFIG in names:
            return cls()
        _check_contents(archive.infolist())
        member = _model_member(names)
        folder = str(PurePosixPath(member).parent / "x")[:-1]
        size = archive.getinfo(member).file_size
        texts = {name: _text(archive, folder + name) for name in (MANIFEST, LABELS, LABELS_AS_JSON)}
        if text := texts[MANIFEST]:
            manifest = Manifest.from_json(text)
            return cls(member, size, manifest, manifest.classes)
        if text := texts[LABELS]:
            return cls(member, size, None, names_in_lines(text.decode("utf-8", "replace")))
        return cls(member, size, None, _json_names(texts[LABELS_AS_JSON]))


def _model_member(names: Sequence[str]) -> str:
    models = [name for name in names if name.endswith(".keras") and not is_junk(tuple(name.split("/")))]
    if len(models) != 1:
        found = f"{len(models):,} models" if models else "no model"
        raise ModelFileError(
            f"The zip holds {found}, and should hold one .keras file: bring the zip of a Keras export as it was "
            "downloaded."
        )
    return models[0]


def _check_contents(infos: Sequence[zipfile.ZipInfo]) -> None:
    if len(infos) > LIMITS.archive.members or len({info.filename for info in infos}) != len(infos):
        raise ModelFileError(
            "The zip holds more files than an export has, or two of one name, so it is not opened: bring the zip of "
            "a Keras export as it was downloaded."
        )
    for info in infos:
        if is_encrypted(info):
            raise ModelFileError("The zip is protected by a password: bring it without one.")
        if info.file_size > LIMITS.archive.file_bytes or inflates_too_much(info, LIMITS.archive):
            raise ModelFileError(
                f"The zip holds a file that unpacks to {info.file_size / 1e6:,.0f} MB, more than a model file may "
                f"have ({LIMITS.archive.file_bytes / 1e6:.0f} MB, and {LIMITS.archive.ratio} times its size in the "
                "zip): it is not opened."
            )


def _text(archive: zipfile.ZipFile, name: str) -> bytes | None:
    if name not in archive.namelist():
        return None
    try:
        with archive.open(name) as member:
            text = member.read(LIMITS.text_bytes + 1)
    except BROKEN as error:
        raise _damaged_zip() from error
    if len(text) > LIMITS.text_bytes:
        raise ModelFileError(f"The file {name} in the zip is far too large for what it should hold: it is not read.")
    return text


def _json_names(text: bytes | None) -> Sequence[str] | None:
    if text is None:
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list):
        raise ModelFileError("The class names beside the model are damaged: bring the .keras file and type them.")
    return names


def _copy(stream: BinaryIO, member: str | None, target: Path) -> None:
    stream.seek(0)
    with ExitStack() as stack:
        into = stack.enter_context(target.open("wb"))
        source = stream
        if member is not None:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            source = stack.enter_context(archive.open(member))  # type: ignore[assignment]  # read(n) is all that is used
        written = 0
        try:
            while piece := source.read(_PIECE):
                written += len(piece)
                if written > LIMITS.archive.file_bytes:
                    raise _damaged_zip()
                into.write(piece)
        except BROKEN as error:
            raise _damaged_zip() from error


def _describe(folder: Path, file_name: str, description: _Description, names: Sequence[str] | None) -> ImportedModel:
    path = folder / MODEL
    architecture = check_model_file(path)
    sha256, manifest = sha256_of(path), description.manifest
    if manifest and manifest.model_sha256 not in (None, sha256):
        raise ModelFileError(
            "The model in the zip is not the one that its manifest speaks of: it was damaged or exchanged, so it is "
            "not opened; export it again."
        )
    given = description.classes if description.classes is not None else names
    if given is None:
        raise ModelFileError(
            f"The file does not say what its {architecture.classes:,} classes are called: give their names, one per "
            "line, in the order in which the model was trained."
        )
    said = manifest or Manifest(name="", classes=())
    title = shown_title(said.name) or shown_title(Path(file_name).stem) or "A model"
    return ImportedModel(
        id="",
        path=folder,
        name=title,
        file_name=shown_title(Path(file_name).name),
        classes=checked_classes(given, architecture.classes),
        image_size=architecture.image_size,
        fit=said.fit,
        decoding=said.decoding,
        outputs=architecture.outputs,
        parameters=architecture.parameters,
        size=path.stat().st_size,
        sha256=sha256,
        temperature=said.temperature,
        threshold=said.threshold,
        has_manifest=said is manifest,
        scaling="built_in" if manifest else architecture.scaling or "",
        recognised=bool(manifest or architecture.scaling),
        made_with=shown_title(said.made_with),
        trained=shown_title(said.trained),
        brought=now(),
    )


def _store(workspace: Workspace, model: ImportedModel) -> ImportedModel:
    """Put the model in its place, unless the very same is there already."""
    same = _answers(model)
    for kept in list_imported_models(workspace):
        if _answers(kept) == same:
            return kept
    place = workspace.models / new_id(model.name)
    settled = replace(model, id=place.name, path=place)
    save_record(model)
    claim(workspace, model.path)
    shutil.move(model.path, place)
    forget_usage(workspace)
    return settled


def _answers(model: ImportedModel) -> tuple[object, ...]:
    """What decides how it answers."""
    confidence = (model.temperature, model.threshold)
    return (model.sha256, model.classes, *confidence, model.fit, model.decoding)


def _damaged_zip() -> ModelFileError:
    return ModelFileError("The file is damaged or cut off, or packed in a way that cannot be read: bring it again.")
