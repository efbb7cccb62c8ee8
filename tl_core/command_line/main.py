"""The table of verbs, and the exit code for each kind of error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from tl_core.command_line import doctor, evaluate, export, import_data, listing, predict, train
from tl_core.command_line.verb import BAD_INPUT, STOPPED, UNEXPECTED, Output, Verb
from tl_core.errors import StoppedError, TransferLearningError
from tl_core.storage.workspace import Workspace

VERBS: Final[tuple[Verb, ...]] = (
    listing.BACKBONES_VERB,
    import_data.VERB,
    train.TRAIN_VERB,
    evaluate.VERB,
    predict.PREDICT_VERB,
    predict.EXPLAIN_VERB,
    train.RESUME_VERB,
    listing.RUNS_VERB,
    listing.COMPARE_VERB,
    train.CALIBRATE_VERB,
    export.EXPORT_VERB,
    export.CODE_VERB,
    doctor.PASSCODE_VERB,
    doctor.DOCTOR_VERB,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: those after the program's name; None = those of this process.

    Returns:
        The exit code: 0 done, 1 an unexpected error, 2 bad input (one sentence on standard error), 130 stopped.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no TensorFlow banner
    options = _parser().parse_args(arguments)
    output = Output(as_json=options.json)
    try:
        workspace = Workspace.from_environment()
        verb: Verb = options.verb
        return verb.run(options, workspace.ensure() if verb.needs_workspace else workspace, output)
    except StoppedError as error:
        output.say(str(error))
        return STOPPED
    except TransferLearningError as error:
        output.say(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        output.say("Stopped.")
        return STOPPED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        return UNEXPECTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tl_core",
        description="Train an image classifier by transfer learning. The workspace is ./workspace, or TL_WORKSPACE.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb in VERBS:
        own = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        own.add_argument("--json", action="store_true", help="print one JSON object on the last line")
        verb.add_arguments(own)
        own.set_defaults(verb=verb)
    return parser
