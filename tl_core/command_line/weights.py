"""``weights``: the folder of weights, filled once for machines without a network; and networks brought from
elsewhere."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.networks import SCALINGS, Network, list_networks
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.backbones.weights import ensure_weights, keras_cache
from tl_core.command_line.verb import Argument, Output, argument, table, writing
from tl_core.errors import ConfigError
from tl_core.export.browser.library import TENSORFLOW_JS, ensure_library
from tl_core.imported_models.networks.addresses import is_address
from tl_core.imported_models.networks.bringing import Wishes, bring_network
from tl_core.imported_models.networks.kept import remove_network
from tl_core.storage.workspace import Workspace

ARGUMENTS: Final[tuple[Argument, ...]] = (
    argument("action", nargs="?", choices=("fetch", "list", "remove"), help="what to do; by default list"),
    argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"a name that `backbones` lists; {TENSORFLOW_JS.name}, for exports as a web page; an address of TF Hub, "
        "Kaggle Models or Hugging Face; the name of a preset of KerasHub; a folder or tar.gz with a SavedModel or a "
        "preset; or a .keras file",
    ),
    argument("--range", choices=tuple(SCALINGS), help="of the images that a network takes, if it does not say so"),
    argument("--image-size", type=int, metavar="PIXELS", help="width and height, for a network that takes any"),
)


def weights(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Fetch, list or remove weights."""
    if options.action and not options.names and options.action != "list":
        raise ConfigError(
            f"`weights {options.action}` needs a name: `backbones` and `weights list` name what there is."
        )
    if options.action == "fetch":
        found = [_fetch(name, options, workspace, output) for name in options.names]
        return output.result({"fetched": found}, [f"{one['name']}: {one['file']}" for one in found])
    if options.action == "remove":
        removed = [remove_network(workspace, name) for name in options.names]
        return output.result(
            {"removed": options.names},
            [f"Removed {kept.network.id}, {_megabytes(kept.size)}. {kept.cost}" for kept in removed],
        )
    return _list(workspace, output)


def network_for(source: str, workspace: Workspace, output: Output) -> str:
    """The name of a backbone for a configuration; what is an address, a folder or a file is brought first."""
    if source in BACKBONES or not (is_address(source) or Path(source).exists()):
        return source
    output.say(f"Bringing {source} …")
    return bring_network(workspace, source, task=output.task).id


def _fetch(name: str, options: argparse.Namespace, workspace: Workspace, output: Output) -> dict[str, Any]:
    if name not in BACKBONES and (is_address(name) or Path(name).exists()):
        wishes = Wishes(image_size=options.image_size, scaling=SCALINGS.get(options.range or "", ""))
        network = bring_network(workspace, name, wishes, output.task)
        return {"name": network.id, "title": network.title, "file": network.as_backbone().weights_file}
    if name == TENSORFLOW_JS.name:
        path, title = ensure_library(workspace, output.task), TENSORFLOW_JS.title
    else:
        backbone = get_backbone(name)
        path, title = ensure_weights(backbone, workspace, output.task), backbone.title
    if path.parent == keras_cache():  # of this machine and person alone
        target = workspace.weights / path.name
        with writing(target, "TL_WORKSPACE"):
            path = Path(shutil.copyfile(path, target))
    return {"name": name, "title": title, "file": str(path)}


def _list(workspace: Workspace, output: Output) -> int:
    networks = list_networks(workspace)
    files = sorted(path for path in workspace.weights.glob("*") if path.is_file())
    rows = [[network.id, network.title, _megabytes(network.size)] for network in networks]
    rows += [
        [path.name, "library" if path.name == TENSORFLOW_JS.file else "weights", _megabytes(path.stat().st_size)]
        for path in files
    ]
    values = {
        "networks": [_described(network) for network in networks],
        "files": [{"name": path.name, "bytes": path.stat().st_size} for path in files],
    }
    total = sum(path.stat().st_size for path in workspace.weights.rglob("*") if path.is_file())
    lines = table(["name", "what", "size"], rows) if rows else ["There is nothing in the folder of weights yet."]
    return output.result(values | {"bytes": total}, [*lines, f"{_megabytes(total)} in {workspace.weights}"])


def _described(network: Network) -> dict[str, Any]:
    names = ("title", "origin", "image_size", "any_size", "scaling", "parameters", "tokens")
    return {"name": network.id, "bytes": network.size} | {name: getattr(network, name) for name in names}


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
