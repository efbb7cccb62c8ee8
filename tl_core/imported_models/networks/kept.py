"""What brought networks and downloaded weights take on this machine, what still needs them, and making room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from tl_core.backbones.networks import Network, delete_network, list_networks, networks_folder
from tl_core.backbones.registry import BACKBONES
from tl_core.backbones.weights import keras_cache
from tl_core.errors import ConfigError, WorkspaceError
from tl_core.imported_models.networks.fetching import CACHE, downloads
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.quota import folder_bytes, forget_usage
from tl_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KeptNetwork:
    """A network that was brought, and the runs that were trained with it."""

    network: Network
    size: int  # bytes of its folder
    runs: tuple[RunRecord, ...]  # whoever's they are

    @property
    def at_work(self) -> bool:
        """Whether one of them is being trained or waits for it."""
        return any(run.active for run in self.runs)

    @property
    def cost(self) -> str:
        """What its deletion costs, as a sentence."""
        if self.at_work:
            return "A training uses it, or waits for it: it cannot be deleted now."
        if not self.runs:
            return "No run was trained with it."
        unfinished = sum(run.resumable for run in self.runs)
        one = len(self.runs) == 1
        some = (", not to its end" if one else f", {unfinished} of them not to the end") if unfinished else ""
        theirs = "its model stays, but it" if one else "their models stay, but they"
        return (
            f"{count(len(self.runs), 'run')} trained with it{some}: {theirs} cannot be trained further until the "
            "network is brought again."
        )


def kept_networks(workspace: Workspace) -> list[KeptNetwork]:
    """Those that the person may delete, the largest first."""
    mine = [found for found in list_networks(workspace) if is_mine(workspace, _folder(workspace, found.id))]
    if not mine:
        return []
    runs = list_runs(Workspace(workspace.root))  # of everybody: a shared run of somebody else needs it, too
    kept = [
        KeptNetwork(
            network,
            folder_bytes(_folder(workspace, network.id)),
            tuple(run for run in runs if network.id in _backbones_of(run)),
        )
        for network in mine
    ]
    return sorted(kept, key=lambda entry: entry.size, reverse=True)


def remove_network(workspace: Workspace, name: str) -> KeptNetwork:
    """Delete a network unless a training uses it; gives what there was.

    Raises:
        ConfigError: there is none of this name, or a training uses it or waits for it.
        NotYoursError: somebody else has brought it.
        WorkspaceError: its files cannot be removed.
    """
    kept = next((entry for entry in kept_networks(workspace) if entry.network.id == name), None)
    if kept is not None and kept.at_work:
        raise ConfigError(f"“{kept.network.title}” is used by a training or by one that waits: stop it first.")
    delete_network(workspace, name)
    assert kept is not None  # noqa: S101  # else there was nothing to delete
    return kept


def downloaded_weights(workspace: Workspace, others: Container[str] = ()) -> list[Path]:
    """Files that were downloaded and can be again, also those that have not arrived whole: in the folder of weights
    all, in that of Keras those of the registry, and what is left of networks whose bringing was cut off.

    Args:
        others: names of further files of ours.
    """
    known = {backbone.weights_file for backbone in BACKBONES.values()}

    def ours(path: Path) -> bool:
        name = path.name.removeprefix(".").removesuffix(".part")
        return path.parent == workspace.weights or name in known or name in others

    folders = dict.fromkeys((workspace.weights, keras_cache()))
    found = [path for folder in folders for path in sorted(folder.glob("*")) if path.is_file() and ours(path)]
    left = _left_of_downloads(workspace)
    return [*found, *([left] if left else [])]


def bytes_of(paths: Iterable[Path]) -> int:
    """Bytes of files and folders."""
    return sum(folder_bytes(path) if path.is_dir() else path.stat().st_size for path in paths if path.exists())


def clear_weights(workspace: Workspace, paths: Iterable[Path]) -> None:
    """Delete what `downloaded_weights` has found.

    Raises:
        WorkspaceError: a file cannot be removed.
    """
    try:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"{path.name} could not be deleted ({error.strerror}): close programs that use it and try again."
        ) from error
    finally:
        forget_usage(workspace)


def _left_of_downloads(workspace: Workspace) -> Path | None:
    folder = downloads(workspace)
    return folder if CACHE not in os.environ and folder.is_dir() and folder_bytes(folder) else None


def _backbones_of(run: RunRecord) -> set[str]:
    return {config.backbone for config in (run.config, *run.members)}


def _folder(workspace: Workspace, name: str) -> Path:
    return networks_folder(workspace) / name
