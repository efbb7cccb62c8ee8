"""Models that were brought as files: each a folder of the workspace with the original file and a record of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tl_core.config.validation import from_mapping
from tl_core.errors import ConfigError, ModelFileError, WorkspaceError
from tl_core.storage.files import read_json, write_json
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import IMPORTED_MODEL
from tl_core.storage.workspace import Workspace

MODEL: Final = "model.keras"
RECORD: Final = "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """One imported model."""

    id: str
    path: Path  # its folder
    name: str
    file_name: str  # its original name
    classes: tuple[str, ...]  # in the order of its outputs
    image_size: int  # pixels, width and height
    outputs: int  # numbers per image; 1 = the probability of the second class
    parameters: int
    size: int  # bytes of the model file
    sha256: str  # of the model file
    temperature: float = 1.0  # see `tl_core.inference.calibration`
    threshold: float = 0.0
    has_manifest: bool = False  # whether it has a manifest
    made_with: str = ""  # from its manifest
    trained: str = ""
    brought: str = ""  # ISO 8601, UTC

    @property
    def model_file(self) -> Path:
        """The original file."""
        return self.path / MODEL


def save_record(model: ImportedModel) -> None:
    """Write the record into the model's folder.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    values = asdict(model)
    del values["path"]
    write_json(model.path / RECORD, IMPORTED_MODEL.stamped(values))


def load_imported_model(workspace: Workspace, model_id: str) -> ImportedModel:
    """The model of that id, which may come from outside (a link).

    Raises:
        ModelFileError: there is none (any more), or its record is damaged.
        NewerVersionError: a newer version of this program wrote it.
        NotYoursError: it is somebody else's.
    """
    return MODELS.find(workspace, model_id)


def list_imported_models(workspace: Workspace) -> list[ImportedModel]:
    """All that the person may see, the latest first; one whose record is damaged is logged and left out."""
    return MODELS.list_all(workspace)


def delete_imported_model(workspace: Workspace, model_id: str) -> None:
    """Delete the model from the workspace.

    Raises:
        NotYoursError: it is somebody else's.
        WorkspaceError: its files cannot be deleted.
    """
    MODELS.delete(workspace, model_id)


def _read(path: Path) -> ImportedModel:
    try:
        values: dict[str, Any] = IMPORTED_MODEL.upgraded(read_json(path / RECORD))
        model = from_mapping(ImportedModel, {**values, "path": path, "classes": tuple(values["classes"])})
    except FileNotFoundError:
        raise _not_found() from None
    except (WorkspaceError, ConfigError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"The record of the model {path.name} is damaged and cannot be read: open its file again."
        ) from error
    return replace(model, id=path.name)


def _not_found() -> ModelFileError:
    return ModelFileError("There is no such model from a file any more: open its file again.")


MODELS: Final = Repository(
    "model",
    lambda workspace: workspace.models,
    _read,
    _not_found,
    lambda model: (model.brought, model.id),
)
