"""``train``, ``resume`` and ``calibrate``: training in the foreground, and measuring the speed of this machine."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.verb import DONE, STOPPED, UNEXPECTED, Argument, Output, argument
from tl_core.command_line.weights import network_for
from tl_core.config import AUGMENTATION_LEVELS, SETTINGS, AugmentationConfig, HeadConfig, Setting, TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.config.setting import MAX_DENSE_LAYERS, parse_units
from tl_core.errors import ConfigError, StoppedError, TransferLearningError, WorkspaceError
from tl_core.evaluation.headline import headline
from tl_core.jobs.runners.ray_cluster import require_ray
from tl_core.jobs.runners.ray_runner import RayRunner
from tl_core.jobs.runners.runner import Runner
from tl_core.jobs.runners.worker import WorkerRunner
from tl_core.planning import plan_training
from tl_core.runs import EventReader, RunRecord, create_run, dataset_of, find_run, load_run, update_run
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.progress import read_progress
from tl_core.runs.record import Mode
from tl_core.runs.store import UNEXPECTED as UNEXPECTED_ERROR
from tl_core.runs.store import end_run, require_resumable, with_more_epochs
from tl_core.storage.files import read_json
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace

FINE_TUNE_EPOCHS: Final = 10  # where layers are unfrozen and no epochs are given
_INTERVAL: Final = 0.5  # seconds between two reads of the events

RUNNERS: Final[Mapping[str, Callable[[], Runner | None]]] = {
    "here": lambda: None,
    "worker": lambda: WorkerRunner(slots=1),
    "ray": lambda: RayRunner(require_ray()),
}
RUNNER: Final = argument(
    "--runner",
    choices=tuple(RUNNERS),
    default="here",
    help="what trains: this process, a worker process that a crash or a full memory takes alone, or the Ray cluster "
    "of TL_RAY_ADDRESS",
)

# Set by options of their own, or by none.
_WITHOUT_OPTION: Final = ("preset", "class_weights", "head.batch_norm", "head.mirrored")
_OPTIONS: Final[Mapping[str, Setting]] = {
    path: setting
    for path, setting in SETTINGS.items()
    if path not in _WITHOUT_OPTION and not path.startswith("augmentation.")
}


# What may be given, where the choices or the range do not say it.
_VALUES: Final[Mapping[str, str]] = {
    "backbone": "a name that `backbones` lists, or an address, folder or file as `weights fetch` takes it",
    "frozen_layers": "all, or how many of the first layers",
    "fine_tune_epochs": f"by default {FINE_TUNE_EPOCHS} if layers are unfrozen",
    "head.dense_units": f"at most {MAX_DENSE_LAYERS}",
    "image_size": "by default as the backbone was trained",
}


def _frozen(text: str) -> int | None:
    try:
        return None if text == "all" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be all or a number of layers, not {text!r}") from None


def _units(text: str) -> list[int]:
    try:
        return parse_units(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _option(setting: Setting) -> Argument:
    """The first sentence of what the form says, and what may be given; left out it means: as the preset has it."""
    flag = setting.option or f"--{setting.name.replace('_', '-')}"
    sentence = setting.help.partition(". ")[0].rstrip(".").replace("%", "%%")
    values = _VALUES.get(setting.path) or ", ".join(setting.choices) or f"{setting.low:.10g} to {setting.high:.10g}"
    kind: Callable[[str], Any] = str
    if setting.control == "units":
        kind = _units
    elif setting.path == "frozen_layers":
        kind = _frozen
    elif setting.high is not None:
        kind = int if setting.whole else float
    return argument(flag, dest=setting.name, type=kind, default=argparse.SUPPRESS, help=f"{sentence} ({values})")


CONFIG_ARGUMENTS: Final = (  # everything that `read_config` reads
    argument("--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help="settings to begin with"),
    argument("--config", type=Path, metavar="FILE", help="settings to begin with, saved from the form"),
    *map(_option, _OPTIONS.values()),
    argument("--augmentation", choices=tuple(AUGMENTATION_LEVELS), help="how far images are changed at random"),
    argument("--class-weights", action="store_true", help="let every class count the same"),
    argument("--mirrored", action="store_true", help="look at the mirror image of each image, too"),
)


def read_config(options: argparse.Namespace) -> TrainingConfig:
    """The configuration that the options describe.

    Raises:
        ConfigError: a value is out of its range.
    """
    given: Mapping[str, Any] = vars(options)
    config = PRESETS[options.preset].config
    try:
        if options.config:
            config = TrainingConfig.from_file(read_json(options.config))
    except (FileNotFoundError, WorkspaceError) as error:
        raise ConfigError(f"The configuration file {options.config} is missing or is no JSON.") from error
    found = {path: given[setting.name] for path, setting in _OPTIONS.items() if setting.name in given}
    changes = {path: value for path, value in found.items() if "." not in path}
    head = {path.removeprefix("head."): value for path, value in found.items() if path.startswith("head.")}
    if options.mirrored:
        head["mirrored"] = True
    if head:
        changes["head"] = HeadConfig.from_dict(config.head.to_dict() | head)
    if options.augmentation:
        changes["augmentation"] = AugmentationConfig.from_dict(options.augmentation)
    if options.class_weights:
        changes["class_weights"] = True
    unfreezes = changes.get("frozen_layers") is not None or "fine_tune_learning_rate" in changes
    if unfreezes and "fine_tune_epochs" not in changes and not config.fine_tune_epochs:
        changes["fine_tune_epochs"] = FINE_TUNE_EPOCHS
    return replace(config, **changes)


def train_run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Train a classifier."""
    runner = RUNNERS[options.runner]()
    if "backbone" in options:
        options.backbone = network_for(options.backbone, workspace, output)
    config = read_config(options)
    dataset = find_or_import(workspace, options.data, output)
    if problems := plan_training(config, dataset, workspace).problems:
        raise ConfigError(problems[0])
    return _run_and_report(create_run(workspace, config, dataset, options.name), "train", runner, output)


def resume_run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Go on with a run to its planned end, or for more epochs."""
    runner = RUNNERS[options.runner]()
    run = find_run(workspace, options.run)
    if options.more is None:
        require_resumable(run)
    elif options.more < 1:
        raise ConfigError(f"--more takes a number of epochs of at least 1. Received: {options.more}.")
    else:
        run = update_run(run.path, config=with_more_epochs(run, options.more))
    return _run_and_report(run, "resume" if options.more is None else "extend", runner, output)


def calibrate(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Measure the speed of this machine."""
    config = read_config(options)
    dataset = find_or_import(workspace, options.data, output) if options.data else None
    from tl_core.planning.speed_benchmark import measure_speed  # TensorFlow, which a wrong option does without

    speed = measure_speed(workspace, config, dataset)
    line = f"One image takes {1000 * speed.head.frozen:.1f} ms through the frozen {config.backbone}."
    if not speed.quiet:
        line += " Something else kept the machine busy, so it may be faster than that."
    seconds = asdict(speed)
    quiet = seconds.pop("quiet")
    return output.result({"backbone": config.backbone, "quiet": quiet, "seconds": seconds}, [line])


def _run_and_report(run: RunRecord, mode: Mode, runner: Runner | None, output: Output) -> int:
    """Train, print the progress on standard error and the outcome on standard output.

    Raises:
        TransferLearningError: the training could not go on.
        StoppedError: stopped before there was a model.
    """
    output.say(f"Run {run.id}")
    stop = threading.Event()
    with stopping_on_signals(stop, output), _telling(run.folder.events_file, output):
        gone = _train_here(run, mode, stop) if runner is None else _train_elsewhere(runner, run, mode, stop)
    if gone is not None:
        output.say(gone)
        return UNEXPECTED
    run = load_run(run.path)
    values = outcome(run)
    code = DONE if run.status == "done" else STOPPED
    return output.result(values, [f"{run.status}: {run.folder.model_file}", *_how_good(run, values)], code)


def _how_good(run: RunRecord, values: Mapping[str, Any]) -> list[str]:
    """What the dashboard says of a run that has ended, with the doubts that go with the figure."""
    try:
        found = headline(run, dataset_of(run))
    except TransferLearningError:  # its images were deleted meanwhile
        found = None
    if found is not None:
        return [found.sentence(), found.baseline(), *found.warnings()]
    shares = {"validation": values["val_accuracy"], "test": values["test_accuracy"]}
    return [f"{label} accuracy {percent(share)}" for label, share in shares.items() if share is not None]


def _train_here(run: RunRecord, mode: Mode, stop: threading.Event) -> str | None:
    """Train in this thread; never with a sentence."""
    import tl_core.training  # TensorFlow, which a wrong option does without
    from tl_core.training.callbacks.mlflow import wait_until_sent

    try:
        getattr(tl_core.training, mode)(run.config, run.dataset_path, run.path, stop.is_set)
    finally:
        wait_until_sent()  # a container may end with this program
    return None


def _train_elsewhere(runner: Runner, run: RunRecord, mode: Mode, stop: threading.Event) -> str | None:
    """Train in a worker process, or on a cluster; returns a sentence if it died.

    Raises:
        TransferLearningError: the training could not go on.
        StoppedError: stopped before there was a model.
    """
    try:
        training = runner.start(mode, run.path, slot=0)

        def pass_on() -> None:
            stop.wait()
            training.stop()

        threading.Thread(target=pass_on, name="stop", daemon=True).start()
        gone = training.wait()
    finally:
        runner.close()
    if gone is not None:
        end_run(run.path, "interrupted", gone)
        return gone
    ended = load_run(run.path)
    if ended.status == "failed":
        if ended.error == UNEXPECTED_ERROR:
            return ended.error
        raise TransferLearningError(ended.error)
    if ended.status == "stopped" and not ended.has_model:
        raise StoppedError(read_progress(ended).text)
    return None


def outcome(run: RunRecord) -> dict[str, Any]:
    """The outcome of a run, in plain values."""
    metrics = read_metrics(run)
    best = run.best
    return {
        "run_id": run.id,
        "run_dir": str(run.path),
        "status": run.status,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "best_epoch": best.epoch if best else None,
        "test_accuracy": metrics.get("test", {}).get("accuracy"),
        "epochs": metrics.get("epochs", 0),
        "seconds": {stage: round(seconds, 3) for stage, seconds in metrics.get("seconds", {}).items()},
    }


@contextlib.contextmanager
def stopping_on_signals(stop: threading.Event, output: Output) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM keeps the best model; a second one ends the program."""

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        output.say("Stopping; the best model so far is kept.")

    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return
    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _telling(events_file: Path, output: Output) -> Iterator[None]:
    """Print what happens in the run, from another thread, until the block ends."""
    reader = EventReader(events_file)
    reader.read_new()  # what happened before a resumption
    finished = threading.Event()

    def tell() -> None:
        while not finished.wait(_INTERVAL):
            _tell_new(reader, output)

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        _tell_new(reader, output)


def _tell_new(reader: EventReader, output: Output) -> None:
    for event in reader.read_new().appended:
        if event["kind"] in ("phase", "note"):
            output.say(str(event["text"]))
        elif event["kind"] == "epoch":
            output.say(
                f"Epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.4f}, "
                f"accuracy {event['accuracy']:.3f}, validation loss {event['val_loss']:.4f}, "
                f"accuracy {event['val_accuracy']:.3f}{' (best)' * event['best']}"
            )
        elif event["kind"] == "progress" and sys.stderr.isatty():
            output.task.report(event["done"], event["total"])
