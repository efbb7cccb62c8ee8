"""The command line, ``python -m tl_core VERB ...``: the table of verbs, and the exit code for each kind of error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tl_core.command_line import (
    datasets,
    doctor,
    evaluate,
    export,
    import_data,
    listing,
    predict,
    search,
    serve,
    tracking,
    train,
    weights,
)
from tl_core.command_line.listing import put_ids_for_names
from tl_core.command_line.verb import BAD_INPUT, RUN, STOPPED, UNEXPECTED, Output, Verb, argument
from tl_core.data import SPLITS, SplitConfig
from tl_core.errors import DatasetNotFoundError, RunNotFoundError, StoppedError, TransferLearningError
from tl_core.evaluation.cross_validated import MOST_IMAGES
from tl_core.export.formats import FORMATS
from tl_core.machine.banner import keep_banner_back
from tl_core.storage.workspace import Workspace

_DATA: Final = {"metavar": "DATASET|FOLDER"}

VERBS: Final[tuple[Verb, ...]] = (
    Verb("backbones", "List the backbones.", listing.list_backbones),
    Verb(
        "import",
        "Import images: one folder per class, or a zip or tar of such folders.",
        import_data.import_dataset,
        argument("source", help="a folder, zip or tar of class folders, or the name of a sample set"),
        argument("--name", help="name of the dataset; by default that of the source"),
        argument("--validation", type=float, help=f"fraction for validation ({SplitConfig().validation})"),
        argument("--test", type=float, help=f"fraction for the test ({SplitConfig().test})"),
        argument("--seed", type=int, help=f"of the split ({SplitConfig().seed})"),
        argument("--dry-run", action="store_true", help="show what would be imported, and import nothing"),
    ),
    Verb(
        "datasets",
        "List all datasets, newest first, or the images of one.",
        datasets.list_datasets_or_images,
        argument("dataset", metavar="DATASET", nargs="?", help="id of a dataset, whose images are listed"),
    ),
    Verb(
        "edit",
        "Move, remove and add images, change classes, divide again, undo and redo; each step is a revision.",
        datasets.edit,
        *datasets.EDITS,
    ),
    Verb(
        "audit",
        "Look for wrong labels, look-alikes, leaks and shortcuts in a dataset.",
        datasets.audit,
        argument("dataset", metavar="DATASET", help="id of a dataset, as `datasets` lists them"),
    ),
    Verb(
        "train",
        "Train a classifier; Ctrl-C keeps the best model so far.",
        train.train_run,
        argument("--data", required=True, help="dataset id, folder, zip or sample set", **_DATA),
        argument("--name", help="name of the run"),
        train.RUNNER,
        *train.CONFIG_ARGUMENTS,
    ),
    Verb("search", "Find the best model: tries many, and trains the best of them.", search.search, *search.ARGUMENTS),
    Verb(
        "evaluate",
        "Measure the model of a run on a split of its dataset, or on other images.",
        evaluate.evaluate,
        RUN,
        argument("--data", help="another dataset, or a folder or zip whose images are all used", **_DATA),
        argument("--split", choices=(*SPLITS, "all"), help="which images; by default test, of a folder all"),
        argument(
            "--report",
            type=Path,
            metavar="FILE",
            help="write all measures into one file: a web page with charts (.html), or Markdown (.md)",
        ),
        argument(
            "--cross-validate",
            action="store_true",
            help=f"also ask heads that have not seen them about all images of the run's dataset, up to "
            f"{MOST_IMAGES:,}; takes some minutes",
        ),
    ),
    Verb(
        "predict",
        "Classify image files with the model of a run, or with one from a file.",
        predict.predict,
        RUN,
        argument("images", metavar="IMAGE", nargs="*", type=Path, help="an image file"),
        argument(
            "--model",
            type=Path,
            metavar="FILE",
            help="ask a model from a file in place of RUN: the zip of a Keras export, or a .keras file. It is "
            "checked, opened in a process of its own, and not kept",
        ),
        argument(
            "--labels", type=Path, metavar="TEXT", help="class names for a .keras file, one per line, in their order"
        ),
        argument(
            "--range",
            choices=tuple(predict.RANGES),
            help="how the images of a model from a file were scaled, where it does not say so; pm1 is -1 to 1",
        ),
        argument("--epoch", type=int, metavar="N", help="an epoch that the run has kept; by default the best one"),
        argument("--top", type=int, default=3, help="how many classes to name (3)"),
    ),
    Verb(
        "explain",
        "Write an image with the places that speak for its class marked.",
        predict.explain,
        RUN,
        argument("image", metavar="IMAGE", type=Path, help="an image file"),
        argument(
            "--output",
            metavar="FILE",
            type=Path,
            help="the PNG to write; by default beside you, named after the image",
        ),
        argument("--class", dest="label", metavar="NAME", help="a class; by default the likeliest one"),
        argument("--block", metavar="TITLE", help="which block of the backbone to look at; by default the last"),
    ),
    Verb(
        "resume",
        "Go on with an interrupted run from its last saved epoch, or with one that has ended.",
        train.resume_run,
        RUN,
        argument("--more", type=int, metavar="EPOCHS", help="train so many more epochs of its last phase"),
        train.RUNNER,
    ),
    Verb(
        "runs",
        "List all runs, newest first.",
        listing.list_all_runs,
        argument("--tag", action="append", default=[], help="only runs with this tag; may be given again"),
    ),
    Verb(
        "compare",
        "Show what differs between runs and what came out of each.",
        listing.compare_runs,
        argument("runs", metavar="RUN", nargs="+", help="ids of at least two runs, as `runs` lists them"),
    ),
    Verb(
        "calibrate",
        "Measure how fast this machine trains, for the time said before Start.",
        train.calibrate,
        argument("--data", help="images that tell how long decoding takes (by default a made-up one)", **_DATA),
        *train.CONFIG_ARGUMENTS,
    ),
    Verb(
        "export",
        "Write a model for another runtime, once it is proven to say the same.",
        export.export,
        RUN,
        argument(
            "--format",
            required=True,
            choices=tuple(FORMATS),
            help="; ".join(f"{form.name}: {form.title}" for form in FORMATS.values()),
        ),
        argument(
            "--output", type=Path, default=Path(), metavar="FOLDER", help="where the zip goes (the current folder)"
        ),
    ),
    Verb(
        "serve",
        "Answer requests of other programs with the model of a run, until stopped.",
        serve.serve,
        *serve.ARGUMENTS,
    ),
    Verb(
        "track",
        "Send a run to MLflow at MLFLOW_TRACKING_URI, or what it has not yet of it.",
        tracking.track,
        RUN,
    ),
    Verb(
        "code",
        "Write a run's configuration as a program that needs Keras alone.",
        export.write_code,
        RUN,
        argument("--notebook", action="store_true", help="as a Jupyter notebook, not as a script"),
        argument("--output", type=Path, metavar="FILE", help="where it goes; by default it is printed"),
    ),
    Verb(
        "weights",
        "Fill the folder of weights for machines without a network, and bring networks from elsewhere.",
        weights.weights,
        *weights.ARGUMENTS,
    ),
    Verb(
        "passcode",
        "Make the hash of a pass-code, for TL_PASSCODE_HASH.",
        doctor.passcode,
        needs_workspace=False,
    ),
    Verb(
        "doctor",
        "Check this machine, and say what to do.",
        doctor.doctor,
        argument(
            "--port",
            type=doctor.port_number,
            default=doctor.BROWSER_PORT,
            help="where the browser should find the dashboard",
        ),
        needs_workspace=False,
    ),
)


_LISTINGS: Final[dict[type[TransferLearningError], str]] = {
    RunNotFoundError: "runs",
    DatasetNotFoundError: "datasets",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: those after the program's name; None = those of this process.

    Returns:
        The exit code: 0 done, 1 an unexpected error, 2 bad input (one sentence on standard error), 130 stopped.
    """
    keep_banner_back()
    verbs = parser()
    options = verbs.parse_args(arguments)
    if options.verb is None:
        verbs.print_help(sys.stderr)
        print("\nName one of these verbs, such as: python -m tl_core doctor", file=sys.stderr)
        return BAD_INPUT
    output = Output(as_json=options.json)
    try:
        workspace = Workspace.from_environment()
        verb: Verb = options.verb
        if verb.needs_workspace:
            put_ids_for_names(options, workspace.ensure())
        return verb.run(options, workspace, output)
    except TransferLearningError as error:
        output.say(_on_the_command_line(error))
        return STOPPED if isinstance(error, StoppedError) else BAD_INPUT
    except KeyboardInterrupt:
        output.say("Stopped.")
        return STOPPED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        return UNEXPECTED


def _on_the_command_line(error: TransferLearningError) -> str:
    """The sentence of an error, and where it is about an id the command that lists those there are."""
    listing = next((verb for kind, verb in _LISTINGS.items() if isinstance(error, kind)), None)
    return f"{error} This lists them: python -m tl_core {listing}" if listing else str(error)


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs; its ``verb`` is the `Verb` that was named."""
    found = argparse.ArgumentParser(
        prog="python -m tl_core",
        description="Train an image classifier by transfer learning. The workspace is ./workspace, or TL_WORKSPACE.",
    )
    found.set_defaults(verb=None)
    verbs = found.add_subparsers(metavar="VERB")
    for verb in VERBS:
        own = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        own.add_argument("--json", action="store_true", help="print one JSON object on the last line")
        for names, how in verb.arguments:
            own.add_argument(*names, **how)
        own.set_defaults(verb=verb)
    return found
