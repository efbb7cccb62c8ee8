"""Networks that people have brought: each a folder below the weights of the workspace, with its layers and a record.

`tl_core.imported_models.networks` brings them. Here they are listed, found by their name in a configuration, and
deleted. Where people log in each belongs to whoever brought it; a training that somebody shares finds the network of
its owner all the same.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.record import Backbone, Scaling
from tl_core.errors import ConfigError, NotYoursError, WorkspaceError
from tl_core.storage.files import read_json, write_json
from tl_core.storage.ownership import is_mine, may_see
from tl_core.storage.quota import forget_usage
from tl_core.storage.repository import discard_folder
from tl_core.storage.schemas import NETWORK as SCHEMA
from tl_core.storage.workspace import Workspace, is_id, new_id

logger = logging.getLogger(__name__)

FOLDER: Final = "networks"  # in the folder of weights
NETWORK: Final = "network.keras"
OUTLINE: Final = "outline.json"
RECORD: Final = "network.json"
FAMILY: Final = "Brought"
SCALINGS: Final[dict[str, Scaling]] = {"0 to 1": "zero_to_one", "-1 to 1": "minus_one_to_one", "0 to 255": "built_in"}
"""Range of the input, and what brings images of 0 to 255 into it."""
_SMALLEST: Final = 32  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network, without a head."""

    id: str
    title: str
    origin: str  # an address, or the name of a file
    sha256: str  # of its file
    size: int  # bytes of its file
    image_size: int  # pixels, width and height
    any_size: bool  # whether it also takes images of other sizes
    scaling: Scaling
    strides: str
    feature_shape: tuple[int, int, int]  # at its own image size
    parameters: int
    trainable_variables: int = 0  # of the SavedModel that it was made of
    difference: float = 0.0  # from what it was made of, as a share of the largest feature
    tokens: int = 0  # of a transformer, class token and registers included; 0: it has none
    licence: str = ""
    brought: str = ""  # ISO 8601, UTC

    def as_backbone(self) -> Backbone:
        """As the registry has them; nothing was published about it."""
        return Backbone(
            name=self.id,
            title=self.title,
            family=FAMILY,
            source="network",
            builder=self.id,
            image_size=self.image_size,
            min_image_size=min(_SMALLEST, self.image_size) if self.any_size else self.image_size,
            scaling=self.scaling,
            strides=self.strides,
            features=self.feature_shape[2],
            base_parameters=self.parameters,
            parameters=self.parameters,
            size_mb=self.size / 1e6,
            top1=None,
            top5=None,
            depth=None,
            cpu_ms=None,
            gpu_ms=None,
            weights_file=f"{FOLDER}/{self.id}/{NETWORK}",
            weights_hash=self.sha256,
            weights_url=None,
            weights_package=None,
            fine_tune_blocks=1,
            paper_title=self.origin,
            paper_url="",
            fixed_size=not self.any_size,
        )


def networks_folder(workspace: Workspace | None = None) -> Path:
    """The folder that holds one folder for each."""
    return (workspace or Workspace.from_environment()).weights / FOLDER


def outline_file(name: str) -> Path:
    """The outline of a network."""
    return networks_folder() / name / OUTLINE


def network_id(title: str, *content: object) -> str:
    """The name of a network's folder: the same for the same content, so that runs find it again after it was deleted
    and brought once more.

    Args:
        title: of which its beginning is made.
        content: what it consists of and whose it is.
    """
    digest = hashlib.sha256("\0".join(map(str, content)).encode()).hexdigest()
    return f"{new_id(title).rpartition('-')[0]}-{digest[:32]}"


def save_network(folder: Path, network: Network) -> None:
    """Write the record into the network's folder.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    write_json(folder / RECORD, SCHEMA.stamped(asdict(network)))


def find_network(name: str, workspace: Workspace | None = None) -> Network:
    """The network that a configuration names.

    Raises:
        ConfigError: there is none, or its record is damaged.
    """
    path = networks_folder(workspace) / name
    try:
        stamp = (path / RECORD).stat().st_mtime_ns
        return _read(path, stamp)
    except FileNotFoundError:
        raise ConfigError(
            "The network of this training is not on this machine any more: bring it again, or choose another "
            "backbone."
        ) from None
    except (WorkspaceError, TypeError, KeyError, ValueError) as error:
        raise ConfigError(f"The record of the network {name} is damaged: bring the network again.") from error


@functools.lru_cache(maxsize=64)
def _read(path: Path, _stamp: int) -> Network:
    values: dict[str, Any] = SCHEMA.upgraded(read_json(path / RECORD))
    known = {field.name for field in fields(Network)}
    kept = {name: value for name, value in values.items() if name in known}
    return replace(Network(**kept | {"feature_shape": tuple(kept["feature_shape"])}), id=path.name)


def list_networks(workspace: Workspace | None = None) -> list[Network]:
    """All that were brought and that the person may see, newest first; one that cannot be read is logged and left
    out."""
    workspace, found = workspace or Workspace.from_environment(), []
    for path in networks_folder(workspace).glob("*"):
        if is_id(path.name) and may_see(workspace, path):
            try:
                found.append(find_network(path.name, workspace))
            except ConfigError as error:
                logger.warning("The network %s is left out: %s", path.name, error)
    return sorted(found, key=lambda network: (network.brought, network.id), reverse=True)


def delete_network(workspace: Workspace, name: str) -> None:
    """Delete a network; runs that were trained with it keep their models.

    Raises:
        ConfigError: there is none of this name.
        NotYoursError: somebody else has brought it.
        WorkspaceError: its files cannot be removed.
    """
    path = networks_folder(workspace) / name
    if not is_id(name) or not path.is_dir():
        raise ConfigError(f"There is no network “{name}”: `weights list` names those that were brought.")
    if not is_mine(workspace, path):
        raise NotYoursError("Somebody else has brought this network, so only they can delete it.")
    discard_folder(path)
    forget_usage(workspace)
