"""``serve``: the model of a run behind HTTP."""

from __future__ import annotations

import argparse
from typing import Final

from tl_core.command_line.doctor import port_number
from tl_core.command_line.verb import RUN, Argument, Output, argument
from tl_core.errors import ModelUnavailableError
from tl_core.inference.serving.address import listening_socket, token_for
from tl_core.runs import find_run
from tl_core.storage.workspace import Workspace

ARGUMENTS: Final[tuple[Argument, ...]] = (
    RUN,
    argument("--port", type=port_number, default=8000, help="where it answers (8000)"),
    argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="by default this machine alone can ask; on any other address TL_SERVE_TOKEN has to hold a token "
        "that each request brings along",
    ),
    argument(
        "--precision",
        choices=("float32", "auto"),
        default="float32",
        help="float32 answers with the probabilities of the pages; auto takes bfloat16 where the processor has it "
        "and the model stays close to float32: more pictures a second, probabilities differ a little",
    ),
    argument("--epoch", type=int, metavar="N", help="an epoch that the run has kept; by default the best one"),
)


def serve(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Answer requests with the model of a run until stopped."""
    run = find_run(workspace, options.run)
    if not run.has_model:
        raise ModelUnavailableError(f"“{run.name}” has no model to serve yet: wait for its first epochs.")
    token = token_for(options.host)
    with listening_socket(options.host, options.port) as listening:
        output.say(f"Opening the model of “{run.name}” …")
        from tl_core.inference.novelty_learning import LOOKING, learns_first  # TensorFlow
        from tl_core.inference.serving.server import open_run, run_server

        if learns_first(run, options.epoch):
            output.say(f"{LOOKING}, to tell what is unlike them …")
        model = open_run(run, options.epoch, output.task, precision=options.precision, note=output.say)
        url = ""

        def tell(address: str) -> None:
            nonlocal url
            url = address
            output.say(f"It answers at {address} (Ctrl-C stops it).")

        run_server(model, listening, token, tell)
    return output.result({"run_id": run.id, "url": url}, [f"Stopped serving “{run.name}”."])
