"""``backbones``: what can be built on, and whether its weights are on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from tl_core.backbones.registry import BACKBONES
from tl_core.backbones.weights import weights_status
from tl_core.command_line.output import Output, table
from tl_core.command_line.verb import DONE, Verb, no_arguments
from tl_core.storage.workspace import Workspace


def _run(_options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    rows: list[dict[str, Any]] = []
    for backbone in BACKBONES.values():
        status = weights_status(backbone, workspace)
        rows.append(
            {
                "name": backbone.name,
                "title": backbone.title,
                "family": backbone.family,
                "image_size": backbone.image_size,
                "parameters": backbone.base_parameters,
                "top1": backbone.top1,
                "weights_here": status.here,
                "download_mb": round(status.download_mb, 1),
            }
        )
    lines = table(
        ["name", "input", "parameters", "top-1 %", "weights"],
        [
            [
                row["name"],
                f"{row['image_size']} px",
                f"{row['parameters'] / 1e6:.1f} M",
                row["top1"] or "",
                "here" if row["weights_here"] else f"{row['download_mb']:.0f} MB to download",
            ]
            for row in rows
        ],
    )
    output.result({"backbones": rows}, lines)
    return DONE


VERB = Verb("backbones", "List the backbones.", no_arguments, _run)
