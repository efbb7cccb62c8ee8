"""Models that were brought as files: each a folder of the workspace with the original file and a record of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from tl_core.backbones.record import Scaling
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
    fit: str = "squeeze"  # see `tl_core.data.normalise.Reading`
    decoding: int = 1
    outputs: int  # numbers per image; 1 = the probability of the second class
    parameters: int
    size: int  # bytes of the model file
    sha256: str  # of the model file
    temperature: float = 1.0  # see `tl_core.inference.calibration`
    threshold: float = 0.0
    has_manifest: bool = False  # whether it has a manifest
    scaling: Scaling | Literal[""] = "built_in"  # brings images of 0 to 255 into its input; empty: nobody has said
    recognised: bool = True  # whether the file itself says so
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


def choose_scaling(workspace: Workspace, model: ImportedModel, scaling: Scaling | Literal[""]) -> None:
    """Remember in which range a model takes its images.

    Raises:
        WorkspaceError: the workspace cannot be written, or the model is somebody else's.
    """
    MODELS.require_mine(workspace, model.id)
    save_record(replace(model, scaling=scaling))


def _read(path: Path) -> ImportedModel:
    try:
        values: dict[str, Any] = IMPORTED_MODEL.upgraded(read_json(path / RECORD))
        model = from_mapping(ImportedModel, {**values, "path": path, "classes": tuple(values["classes"])})
    except FileNotFoundError:
        raise MODELS.missing() from None
    except (WorkspaceError, ConfigError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"The record of the model {path.name} is damaged and cannot be read: open its file again."
        ) from error
    return replace(model, id=path.name)


MODELS: Final = Repository(
    "model",
    lambda workspace: workspace.models,
    _read,
    lambda: ModelFileError("There is no such model from a file any more: open its file again."),
    lambda model: (model.brought, model.id),
)
load_imported_model = MODELS.find  # raises ModelFileError where there is none, or its record is damaged
list_imported_models = MODELS.list_all
delete_imported_model = MODELS.delete
