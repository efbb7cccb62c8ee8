"""Models that were brought as files: each a folder of the workspace with the file as it came and a record of it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tl_core.config.validation import from_mapping
from tl_core.errors import ConfigError, ModelFileError, WorkspaceError
from tl_core.storage.files import read_json, write_json
from tl_core.storage.ownership import may_see, require_visible
from tl_core.storage.workspace import Workspace, is_id

logger = logging.getLogger(__name__)

MODEL: Final = "model.keras"
RECORD: Final = "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """One model from a file."""

    id: str
    path: Path  # its folder
    name: str
    file_name: str  # as it was brought
    classes: tuple[str, ...]  # in the order of its outputs
    image_size: int  # pixels, width and height
    outputs: int  # numbers per image; 1 = the probability of the second class
    parameters: int
    size: int  # bytes of the model file
    sha256: str  # of the model file
    temperature: float = 1.0  # see `tl_core.inference.calibration`
    threshold: float = 0.0
    has_manifest: bool = False  # whether it said itself what it is
    made_with: str = ""  # what its manifest says
    trained: str = ""
    brought: str = ""  # ISO 8601, UTC

    @property
    def model_file(self) -> Path:
        """The file as it came."""
        return self.path / MODEL


def save_record(model: ImportedModel) -> None:
    """Write the record into the model's folder.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    values = asdict(model)
    del values["path"]
    write_json(model.path / RECORD, values)


def load_imported_model(workspace: Workspace, model_id: str) -> ImportedModel:
    """The model of that id.

    Raises:
        ModelFileError: there is none (any more), or its record is damaged.
        NotYoursError: it is somebody else's.
    """
    found = _read(workspace.models / model_id) if is_id(model_id) else None
    if found is not None:
        require_visible(workspace, found.path, "model")
    if found is None:
        raise ModelFileError("There is no such model from a file any more: open its file again.")
    return found


def list_imported_models(workspace: Workspace) -> list[ImportedModel]:
    """All of them, the latest first; one whose record is damaged is left out."""
    folders = [path for path in workspace.models.glob("*") if is_id(path.name) and may_see(workspace, path)]
    found = [model for path in folders if (model := _read(path)) is not None]
    return sorted(found, key=lambda model: (model.brought, model.id), reverse=True)


def delete_imported_model(model: ImportedModel) -> None:
    """Delete the model from the workspace.

    Raises:
        WorkspaceError: its files cannot be deleted.
    """
    try:
        shutil.rmtree(model.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkspaceError(
            f"The model “{model.name}” could not be deleted ({error.strerror}): close programs that use it and try "
            "again."
        ) from error


def _read(path: Path) -> ImportedModel | None:
    try:
        values: dict[str, Any] = read_json(path / RECORD)
        model = from_mapping(ImportedModel, {**values, "path": path, "classes": tuple(values["classes"])})
    except FileNotFoundError:
        return None
    except (WorkspaceError, ConfigError, TypeError, KeyError) as error:
        logger.warning("The record of the model %s cannot be read: %s", path.name, error)
        return None
    return replace(model, id=path.name)
