"""``calibrate``: measure how fast this machine trains, for the time said before Start."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.output import Output
from tl_core.command_line.train import add_config_arguments, read_config
from tl_core.command_line.verb import DONE, Verb
from tl_core.storage.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DATASET|FOLDER", help="images that tell how long decoding takes (by default a made-up one)"
    )
    add_config_arguments(parser)


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    config = read_config(options)
    dataset = find_or_import(workspace, options.data, output) if options.data else None
    from tl_core.planning.speed_benchmark import calibrate  # TensorFlow, which a wrong option does without

    speed = calibrate(workspace, config, dataset)
    lines = [f"One image takes {1000 * speed.head.frozen:.1f} ms through the frozen {config.backbone}."]
    output.result({"backbone": config.backbone, "seconds": asdict(speed)}, lines)
    return DONE


VERB = Verb(
    "calibrate", "Measure how fast this machine trains, for the time said before Start.", _add_arguments, _run
)
