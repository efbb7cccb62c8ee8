"""``train``, ``resume`` and ``calibrate``: training in the foreground, and measuring the speed of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.verb import DONE, Output, Verb, add_run_argument
from tl_core.command_line.watching import run_and_report
from tl_core.config import AUGMENTATION_LEVELS, SETTINGS, AugmentationConfig, HeadConfig, Setting, TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.config.setting import MAX_DENSE_LAYERS, parse_units
from tl_core.errors import ConfigError, WorkspaceError
from tl_core.planning import plan_training
from tl_core.runs import RunRecord, create_run, find_run, update_run
from tl_core.runs.store import require_resumable, with_more_epochs
from tl_core.storage.files import read_json
from tl_core.storage.workspace import Workspace

FINE_TUNE_EPOCHS: Final = 10  # where layers are unfrozen and no epochs are given


# Set by options of their own, or by none.
_WITHOUT_OPTION: Final = ("preset", "class_weights", "head.batch_norm")
_OPTIONS: Final[Mapping[str, Setting]] = {
    path: setting
    for path, setting in SETTINGS.items()
    if path not in _WITHOUT_OPTION and not path.startswith("augmentation.")
}


# What may be given, where the choices or the range do not say it.
_VALUES: Final[Mapping[str, str]] = {
    "backbone": "a name that `backbones` lists",
    "frozen_layers": "all, or how many of the first layers",
    "fine_tune_epochs": f"by default {FINE_TUNE_EPOCHS} if layers are unfrozen",
    "head.dense_units": f"at most {MAX_DENSE_LAYERS}",
    "image_size": "by default as the backbone was trained",
}


def _add_option(parser: argparse.ArgumentParser, setting: Setting) -> None:
    """Left out means: as the preset has it."""
    flag = setting.option or f"--{setting.name.replace('_', '-')}"
    parser.add_argument(
        flag, dest=setting.name, type=_type_of(setting), default=argparse.SUPPRESS, help=_help_of(setting)
    )


def _type_of(setting: Setting) -> Callable[[str], Any]:
    if setting.control == "units":
        return _units
    if setting.high is None:
        return str
    whole = _frozen if setting.path == "frozen_layers" else int
    return whole if setting.whole else float


def _help_of(setting: Setting) -> str:
    """The first sentence of what the form says, and what may be given."""
    sentence = setting.help.partition(". ")[0].rstrip(".").replace("%", "%%")
    values = _VALUES.get(setting.path) or ", ".join(setting.choices) or f"{setting.low:.10g} to {setting.high:.10g}"
    return f"{sentence} ({values})"


def _frozen(text: str) -> int | None:
    if text == "all":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be all or a number of layers, not {text!r}") from None


def _units(text: str) -> list[int]:
    try:
        return parse_units(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", required=True, metavar="DATASET|FOLDER", help="dataset id, folder, zip or sample set"
    )
    parser.add_argument("--name", help="name of the run")
    _add_config_arguments(parser)


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything that `read_config` reads."""
    parser.add_argument("--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help="settings to begin with")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings to begin with, saved from the form")
    for setting in _OPTIONS.values():
        _add_option(parser, setting)
    parser.add_argument(
        "--augmentation", choices=tuple(AUGMENTATION_LEVELS), help="how far images are changed at random"
    )
    parser.add_argument("--class-weights", action="store_true", help="let every class count the same")


def read_config(options: argparse.Namespace) -> TrainingConfig:
    """The configuration that the options describe.

    Raises:
        ConfigError: a value is out of its range.
    """
    given: Mapping[str, Any] = vars(options)
    config = _read_file(options.config) if options.config else PRESETS[options.preset].config
    found = {path: given[setting.name] for path, setting in _OPTIONS.items() if setting.name in given}
    changes = {path: value for path, value in found.items() if "." not in path}
    head = {path.removeprefix("head."): value for path, value in found.items() if path.startswith("head.")}
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


def _read_file(path: Path) -> TrainingConfig:
    try:
        return TrainingConfig.from_file(read_json(path))
    except (FileNotFoundError, WorkspaceError) as error:
        raise ConfigError(f"The configuration file {path} is missing or is no JSON.") from error


def _train(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    config = read_config(options)
    dataset = find_or_import(workspace, options.data, output)
    if problems := plan_training(config, dataset, workspace).problems:
        raise ConfigError(problems[0])
    run = create_run(workspace, config, dataset, options.name)
    from tl_core.training import train

    return run_and_report(run, lambda should_stop: train(config, dataset.path, run.path, should_stop), output)


def _add_resume_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument(
        "--more",
        type=int,
        metavar="EPOCHS",
        help="train so many more epochs of its last phase",
    )


def _resume(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    if options.more is not None:
        return _extend(run, options.more, output)
    require_resumable(run)
    from tl_core.training import resume

    dataset = run.dataset_path
    return run_and_report(run, lambda should_stop: resume(run.config, dataset, run.path, should_stop), output)


def _extend(run: RunRecord, epochs: int, output: Output) -> int:
    if epochs < 1:
        raise ConfigError(f"--more takes a number of epochs of at least 1. Received: {epochs}.")
    run = update_run(run.path, config=with_more_epochs(run, epochs))
    from tl_core.training import extend

    dataset = run.dataset_path
    return run_and_report(run, lambda should_stop: extend(run.config, dataset, run.path, should_stop), output)


def _add_calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DATASET|FOLDER", help="images that tell how long decoding takes (by default a made-up one)"
    )
    _add_config_arguments(parser)


def _calibrate(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    config = read_config(options)
    dataset = find_or_import(workspace, options.data, output) if options.data else None
    from tl_core.planning.speed_benchmark import measure_speed  # TensorFlow, which a wrong option does without

    speed = measure_speed(workspace, config, dataset)
    lines = [f"One image takes {1000 * speed.head.frozen:.1f} ms through the frozen {config.backbone}."]
    output.result({"backbone": config.backbone, "seconds": asdict(speed)}, lines)
    return DONE


TRAIN_VERB = Verb("train", "Train a classifier; Ctrl-C keeps the best model so far.", _add_train_arguments, _train)
RESUME_VERB = Verb(
    "resume",
    "Go on with an interrupted run from its last saved epoch, or with one that has ended.",
    _add_resume_arguments,
    _resume,
)
CALIBRATE_VERB = Verb(
    "calibrate",
    "Measure how fast this machine trains, for the time said before Start.",
    _add_calibrate_arguments,
    _calibrate,
)
