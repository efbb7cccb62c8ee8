"""Writes ``workspace_0c3776b.tar.xz`` with the code of commit 0c3776b; see the package's docstring.

    python -m tests.old_workspaces.make_0c3776b tests/old_workspaces/workspace_0c3776b.tar.xz

The names of modules and functions are those of that commit; they stay as they are when the code renames them.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
from PIL import Image

from tests.hostile.models import good_model
from tests.old_workspaces.answers import IMAGES, ask, plain_predictions, predict, processor, read_images
from tests.old_workspaces.small_weights import BACKBONE, LAST_NORMALIZATION, LAYERS, repeat_weights, small_weights
from tl_core.backbones.record import Backbone
from tl_core.brought import BroughtModel, bring_model, list_brought
from tl_core.confidence import Confidence, keep_confidence
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.data import Dataset, SplitConfig, import_folder, import_uploads, list_datasets, rename_dataset
from tl_core.errors import StoppedError, TrainingError, TransferLearningError
from tl_core.files import replacing
from tl_core.jobs import JobManager
from tl_core.kept_epochs import kept_epochs
from tl_core.passcode import hash_passcode
from tl_core.pinned import draft_pins, keep_draft, keep_pins, pin_of_dataset, pin_upload, pinned_pictures
from tl_core.runs import RunRecord, annotate_run, create_run, list_runs, load_run, read_events, read_progress
from tl_core.sharing import is_mine, person_id, share
from tl_core.workspace import Workspace, new_id

REPOSITORY = Path(__file__).resolve().parents[2]
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tl_core.training"])
PATIENCE = 300  # seconds that one process may take

SIZE = 32  # pixels
COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 50, 50)}
ADA, BEN = "ada@example.org", "Ben@Example.org"
PASSCODE = "an old pass-code"

SMALL = TrainingConfig(
    backbone=BACKBONE,
    weights="random",
    image_size=SIZE,
    head=HeadConfig(dropout=0.25),
    epochs=5,
    learning_rate=3e-3,
    batch_size=8,
    precision="float32",  # so that the figures are those of any machine
    seed=7,
)
LIGHT = AUGMENTATION_LEVELS["light"]
QUICK_START = replace(TrainingConfig(), weights="random", image_size=SIZE, head=HeadConfig(), epochs=2)
TWO_PHASES = replace(
    SMALL,
    preset="full_control",
    head=HeadConfig(dense_units=(8,), batch_norm=True, activation="gelu", dropout=0.1, l2=1e-4),
    frozen_layers=LAST_NORMALIZATION,
    epochs=2,
    learning_rate=1e-2,
    fine_tune_epochs=3,
    fine_tune_learning_rate=1e-3,
    optimizer="sgd",
    weight_decay=1e-4,
    schedule="plateau",
    early_stopping_patience=50,
    class_weights=True,
    keep_last_epochs=4,
)


# --- what happens in the middle of a training -----------------------------------------------------------------------


def stop() -> bool:
    return True


def fail() -> bool:
    raise TrainingError("The loss became infinite in epoch 3, so the training was ended: try a lower learning rate.")


def die() -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def epochs_told(run: RunRecord) -> int:
    return sum(event["kind"] == "epoch" for event in read_events(run.folder.events_file))


def flush_every_checkpoint() -> None:
    from tl_core.training import course

    course.CHECKPOINT_INTERVAL = 0.0


def die_before_the_model_is_in_place() -> None:
    _die_while_a_model_is_written(1, renamed=False)


def die_before_the_record_knows_the_model() -> None:
    _die_while_a_model_is_written(2, renamed=True)


def nothing() -> None:
    """The training is left as it is."""


def _die_while_a_model_is_written(number: int, *, renamed: bool) -> None:
    from tl_core.training import course, saving

    course.MODEL_INTERVAL = 0.0
    written = itertools.count(1)

    @contextlib.contextmanager
    def dying(path: Path) -> Iterator[Path]:
        this = next(written)
        with replacing(path) as temporary:
            yield temporary
            if this == number and not renamed:
                die()
        if this == number:
            die()

    saving.replacing = dying


@dataclass(frozen=True)
class Step:
    """What one process does with a run."""

    act: Callable[[], bool] | None = None  # instead of an answer to ``should_stop`` ...
    after: int = 0  # ... once so many epochs are told
    prepare: Callable[[], None] = nothing
    more: int = 0  # epochs, of a run that has ended
    killed: bool = False

    def should_stop(self, run: RunRecord) -> bool:
        return self.act is not None and epochs_told(run) >= self.after and self.act()


@dataclass(frozen=True)
class Recipe:
    """A run, and what becomes of it."""

    name: str
    status: str  # in the end
    config: TrainingConfig = SMALL
    steps: tuple[Step, ...] = (Step(),)
    dataset: str = "Colours"
    person: str | None = None
    shared: bool = False
    watched: bool = False


AFTER_THREE = Step(die, 3, killed=True)
HUNG, LEFT_WAITING = "Given up because it hung", "Stopped while it waited"
RECIPES = (
    Recipe("Head alone", "done", replace(SMALL, augmentation=LIGHT), watched=True),
    Recipe("Two phases", "done", TWO_PHASES, watched=True),
    Recipe(
        "Two classes, everything frozen",
        "done",
        replace(
            SMALL,
            head=HeadConfig(pooling="max", output="sigmoid", dropout=0.0),
            frozen_layers=LAYERS,
            epochs=3,
            fine_tune_epochs=2,
            optimizer="rmsprop",
            schedule="constant",
        ),
        dataset="Given splits",
    ),
    Recipe(
        "Killed, resumed and extended",
        "done",
        replace(
            SMALL, head=HeadConfig(feature_normalization="batch"), optimizer="adamw", weight_decay=0.01, epochs=3
        ),
        (Step(die, 1, killed=True), Step(), Step(more=1)),
    ),
    Recipe(
        "Stopped in mid-run",
        "stopped",
        replace(SMALL, augmentation=LIGHT, augmentation_mode="cached_views", views=2),
        (Step(stop, 2),),
    ),
    Recipe("Quick start", "done", QUICK_START),
    Recipe("Stopped before its first epoch", "stopped", steps=(Step(stop),)),
    Recipe("Failed with a model", "failed", steps=(Step(fail, 2),)),
    Recipe("Failed before it began", "failed", replace(SMALL, frozen_layers=LAYERS + 1, fine_tune_epochs=2)),
    Recipe("Resumed and stopped before it went on", "interrupted", steps=(Step(die, 1, killed=True), Step(stop))),
    Recipe("Killed while it waited", "interrupted", steps=()),
    Recipe("Killed before its first epoch", "interrupted", steps=(Step(die, killed=True),)),
    Recipe("Killed while the head learned", "interrupted", steps=(AFTER_THREE,), watched=True),
    Recipe(
        "Killed with flushed checkpoints",
        "interrupted",
        replace(SMALL, label_smoothing=0.0),
        (replace(AFTER_THREE, prepare=flush_every_checkpoint),),
    ),
    Recipe("Killed while fine-tuning", "interrupted", TWO_PHASES, (AFTER_THREE,)),
    Recipe(
        "Killed while its model was written",
        "interrupted",
        steps=(Step(prepare=die_before_the_model_is_in_place, killed=True),),
    ),
    Recipe(
        "Killed before its record knew the model",
        "interrupted",
        steps=(Step(prepare=die_before_the_record_knows_the_model, killed=True),),
    ),
    Recipe(HUNG, "interrupted", steps=()),
    Recipe(LEFT_WAITING, "stopped", steps=()),
    Recipe("Ada's, shared", "done", replace(SMALL, epochs=2), person=ADA, shared=True),
    Recipe("Ada's, waiting", "interrupted", steps=(), dataset="Ada's", person=ADA),
)
RESUMED = tuple(recipe.name for recipe in RECIPES if recipe.status == "interrupted" and recipe.person is None)
EXTENDED = ("Head alone", "Two phases")


def train(run_path: Path, step: Step) -> None:
    """In a process of its own: train a run, or go on with it."""
    from tl_core import training

    run = load_run(run_path)
    step.prepare()
    dataset = run.path.parent.parent / "datasets" / run.dataset_id
    places = (run.config, dataset, run.path, lambda: step.should_stop(run))
    with small_weights(), small_weights_of_lite(), contextlib.suppress(StoppedError, TransferLearningError):
        if step.more:
            from tl_core.runs import update_run
            from tl_core.runs.store import with_more_epochs

            config = with_more_epochs(run, step.more)
            update_run(run.path, config=config)
            training.extend(config, *places[1:], step.more)
        else:
            (training.resume if run.status == "interrupted" else training.train)(*places)


@contextlib.contextmanager
def small_weights_of_lite() -> Iterator[None]:
    """As `small_weights`, for the backbone of Quick start, which this program builds itself."""
    from tl_core.backbones import build

    architecture, load = build._SOURCES["efficientnet_lite"]

    def small(backbone: Backbone, size: int) -> keras.Model:
        base = architecture(backbone, size)
        repeat_weights(base, gain=6.0)
        return base

    with mock.patch.dict(build._SOURCES, efficientnet_lite=(small, load)):
        yield


def hang_and_leave_waiting(hung_path: Path, waiting_path: Path) -> None:
    """In a process of its own: one run hangs and is given up, another is stopped while it waits behind it."""
    from tl_core import training

    seconds = itertools.count(step=10)
    hangs = threading.Event()

    def hang() -> bool:
        hangs.set()
        threading.Event().wait()
        return False

    def train_until_it_hangs(config: TrainingConfig, dataset: Path, path: Path, _: Callable[[], bool]) -> None:
        run, step = load_run(path), Step(hang, 1)
        with small_weights():
            training.train(config, dataset, path, lambda: step.should_stop(run))

    manager = JobManager(Workspace(hung_path.parent.parent), train_until_it_hangs, clock=lambda: float(next(seconds)))
    manager.submit(hung_path.name)
    manager.submit(waiting_path.name)
    manager.stop(waiting_path.name)
    hangs.wait(PATIENCE)
    while manager.job(hung_path.name):
        manager.give_up_if_silent()


def in_a_process(function: Callable[..., None], *arguments: Any, killed: bool = False) -> None:
    process = FORK.Process(target=function, args=arguments)
    process.start()
    process.join(PATIENCE)
    wanted = -signal.SIGKILL if killed else 0
    if process.exitcode != wanted:
        process.kill()
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}, not with {wanted}")


# --- images, datasets and models ------------------------------------------------------------------------------------


def draw(colour: tuple[int, int, int], seed: int, size: tuple[int, int] = (40, 36)) -> bytes:
    """A PNG of 25 patches around a colour: some hundred bytes."""
    patches = np.random.default_rng(seed).normal(0, 18, (5, 5, 3)) + np.array(colour)
    image = Image.fromarray(np.clip(patches, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def import_colours(workspace: Workspace) -> Dataset:
    """Three classes with a duplicate within a class, one across two classes, and two files that are left out."""
    images = {
        name: [(f"{name} {number}.png", draw(colour, 100 * place + number)) for number in range(12)]
        for place, (name, colour) in enumerate(COLOURS.items())
    }
    images["blue"].append(("blue 3 again.png", images["blue"][3][1]))
    images["red"].append(("really green.png", images["green"][5][1]))
    images["green"] += [("cut off.png", images["green"][0][1][:90]), ("words.png", b"no picture")]
    dataset = import_uploads(workspace, images, "Colors", SplitConfig(validation=0.25, test=0.25, seed=3))
    return rename_dataset(dataset, "Colours")


def import_given_splits(workspace: Workspace) -> Dataset:
    """Two classes from folders that say the split."""
    with tempfile.TemporaryDirectory() as folder:
        counts = {"train": 8, "val": 4, "test": 4}
        for place, (split, count) in enumerate(counts.items()):
            for label, colour in (("Äpfel (grün)", COLOURS["green"]), ("火车 red", COLOURS["red"])):
                target = Path(folder) / split / label
                target.mkdir(parents=True)
                for number in range(count):
                    (target / f"{number}.png").write_bytes(draw(colour, 1000 + 100 * place + number))
        return import_folder(workspace, Path(folder), "Given splits")


def import_of_ada(workspace: Workspace) -> Dataset:
    images = {name: [(f"{n}.png", draw(colour, 500 + n)) for n in range(4)] for name, colour in COLOURS.items()}
    return import_uploads(workspace, images, "Ada's", SplitConfig(validation=0.25, test=0.0))


def build(folder: Path) -> None:
    """In a process of its own, which is gone when the workspace is looked at."""
    workspace = Workspace(folder / "workspace").ensure()
    for name, content in zip(IMAGES, (draw(COLOURS["blue"], 901), draw(COLOURS["red"], 902)), strict=True):
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / name).write_bytes(content)
    write_settings(folder / "settings")
    ada = replace(workspace, person=person_id(workspace, ADA))
    datasets = {
        dataset.name: dataset
        for dataset in (import_colours(workspace), import_given_splits(workspace), import_of_ada(ada))
    }
    runs = {recipe.name: make_run(workspace, recipe, datasets[recipe.dataset]) for recipe in RECIPES}
    in_a_process(hang_and_leave_waiting, runs[HUNG].path, runs[LEFT_WAITING].path)
    add_what_people_chose(workspace, runs)
    in_a_process(evaluate_and_export, folder, runs["Head alone"].id)
    bring_models(workspace, ada, runs)
    names = {name: run.id for name, run in runs.items()}
    (folder / "names.json").write_text(json.dumps(names, indent=1), encoding="utf-8")
    keep_draft(workspace, new_id("draft"), [pin_upload("waits.png", draw(COLOURS["red"], 903))])


def write_settings(folder: Path) -> None:
    from ui.training_form.text_version import to_text

    folder.mkdir()
    for preset in PRESETS.values():
        (folder / f"preset-{preset.name}.json").write_text(to_text(preset.config), encoding="utf-8")
    (folder / "two-phases.json").write_text(to_text(TWO_PHASES), encoding="utf-8")
    (folder / "strong.json").write_text(
        to_text(replace(SMALL, augmentation=AUGMENTATION_LEVELS["strong"])), encoding="utf-8"
    )
    part = {"epochs": 20, "augmentation": "medium", "head": {"dense_units": [64, 32]}}
    (folder / "by-hand.json").write_text(json.dumps(part), encoding="utf-8-sig")


def make_run(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> RunRecord:
    sys.stderr.write(f"{recipe.name}\n")
    person = recipe.person and person_id(workspace, recipe.person)
    run = create_run(replace(workspace, person=person), recipe.config, dataset, recipe.name)
    if recipe.watched:
        keep_pins(
            run.folder,
            [pin_of_dataset(dataset, dataset.of_split("test")[0]), pin_upload("mine.png", draw((90, 90, 90), 904))],
        )
    for step in recipe.steps:
        in_a_process(train, run.path, step, killed=step.killed)
    if recipe.shared:
        share(replace(workspace, person=person), run.path, True)
    return run


def add_what_people_chose(workspace: Workspace, runs: dict[str, RunRecord]) -> None:
    annotate_run(
        runs["Head alone"].path, starred=True, notes="The best one so far.\nSecond line", tags=["keep", "Äpfel"]
    )
    annotate_run(runs["Two phases"].path, name="Zwei Phasen ★ 火车")
    annotate_run(runs["Killed while fine-tuning"].path, tags=["keep"])
    run = load_run(runs["Head alone"].path)
    keep_confidence(run.folder, Confidence(model_sha256=run.model_sha256 or "", temperature=1.5, threshold=0.6))


def evaluate_and_export(folder: Path, run_id: str) -> None:
    from tl_core.export import export_run

    ask(folder, "evaluate", run_id, "--split", "train")
    export = export_run(folder / "workspace" / "runs" / run_id, "keras")
    if not export.proof.passed:
        raise RuntimeError(export.proof.failure)


def bring_models(workspace: Workspace, ada: Workspace, runs: dict[str, RunRecord]) -> None:
    bring_model(workspace, runs["Head alone"].path / "exports" / "keras.zip", "head-alone-keras.zip")
    two = runs["Two classes, everything frozen"]
    bring_model(workspace, two.folder.model_file, "one-output.keras", two.classes)
    model = bring_model(ada, io.BytesIO(good_model()), "colours.keras", ["blue", "red"])
    share(ada, model.path, True)


# --- what this version says about it --------------------------------------------------------------------------------


def write_expected(folder: Path) -> None:
    """In a process of its own, on a copy."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "copy"
        shutil.copytree(folder, copy)
        values = expected(copy)
    text = json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")


def expected(folder: Path) -> dict[str, Any]:
    from ui.training_form.text_version import from_text

    workspace = Workspace(folder / "workspace")
    names: dict[str, str] = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    runs = {name: load_run(workspace.runs / run_id) for name, run_id in names.items()}
    check(runs)
    with_model = [run for run in runs.values() if run.has_model and run.status != "interrupted"]
    return {
        "commit": "0c3776b",
        "processor": processor(),
        "names": names,
        "runs": ask(folder, "runs"),
        "tagged": ask(folder, "runs", "--tag", "keep"),
        "compared": ask(folder, "compare", *names.values()),
        "records": {run.id: record_of(run) for run in runs.values()},
        "checkpoints": {run.id: checkpoint_of(run) for run in runs.values()},
        "predictions": {run.id: predict(folder, run.id) for run in runs.values() if run.has_model},
        "predictions_of_epochs": {run.id: predictions_of_epochs(folder, run) for run in with_model},
        "evaluations": {
            run.id: {split: ask(folder, "evaluate", run.id, "--split", split) for split in ("validation", "test")}
            for run in with_model
        },
        "datasets": {dataset.id: dataset_of(dataset) for dataset in list_datasets(workspace)},
        "models": {model.id: model_of(folder, model) for model in list_brought(workspace)},
        "people": {email: seen_by(workspace, email) for email in (ADA, BEN)},
        "settings": {
            path.name: from_text(path.read_bytes()).to_dict() for path in sorted((folder / "settings").iterdir())
        },
        "drafts": {
            path.name: [
                [pin.name, pin.suffix, len(pin.encoded), pin.truth] for pin in draft_pins(workspace, path.name)
            ]
            for path in workspace.drafts.iterdir()
        },
        "passcode": {"passcode": PASSCODE, "hash": hash_passcode(PASSCODE)},
        "resumed": {names[name]: went_on(folder, runs[name]) for name in RESUMED},
        "extended": {names[name]: went_on(folder, runs[name], "--more", "2") for name in EXTENDED},
    }


def check(runs: dict[str, RunRecord]) -> None:
    """Whether each run is in the state that its recipe wants."""
    for recipe in RECIPES:
        run = runs[recipe.name]
        if run.status != recipe.status:
            raise RuntimeError(f"“{recipe.name}” is {run.status}, not {recipe.status}: {run.error}")


def record_of(run: RunRecord) -> dict[str, Any]:
    progress = read_progress(run)
    return {
        "status_on_disk": json.loads(run.folder.record_file.read_text(encoding="utf-8"))["status"],
        "error": run.error,
        "classes": run.classes,
        "split_counts": run.split_counts,
        "has_model": run.has_model,
        "model_sha256": run.model_sha256,
        "best": run.best and asdict(run.best),
        "can_go_on": run.can_go_on,
        "starred": run.starred,
        "notes": run.notes,
        "tags": run.tags,
        "phase": progress.phase,
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "finished": progress.finished,
        "said": progress.notes,
        "events": len(read_events(run.folder.events_file)),
        "kept_epochs": [asdict(entry) for entry in kept_epochs(run.folder)],
        "watched": [[picture.name, picture.truth] for picture in pinned_pictures(run.folder)],
    }


def checkpoint_of(run: RunRecord) -> dict[str, Any] | None:
    from tl_core.training.checkpoint import load_checkpoint

    found = load_checkpoint(run.folder)
    if found is None:
        return None
    state = found.state
    return {
        "phase": state.phase,
        "next_epoch": state.next_epoch,
        "last_epoch": found.last_epoch,
        "best_epoch": state.best and state.best.epoch,
    }


def predictions_of_epochs(folder: Path, run: RunRecord) -> dict[str, Any]:
    kept = [str(entry.epoch) for entry in kept_epochs(run.folder)]
    return {epoch: predict(folder, run.id, "--epoch", epoch) for epoch in kept}


def dataset_of(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "classes": dataset.classes,
        "counts": dataset.counts(),
        "images": [
            [image.source_name, image.label, image.split, image.width, image.height] for image in dataset.images
        ],
        "skipped": [asdict(entry) for entry in dataset.skipped],
        "fingerprint": dataset.fingerprint,
        "source": dataset.source,
        "given_splits": dataset.given_splits,
    }


def model_of(folder: Path, model: BroughtModel) -> dict[str, Any]:
    from tl_core.brought.answering import answerer_of
    from tl_core.brought.keeping import close_brought
    from tl_core.prediction import predict_with

    answers = predict_with(answerer_of(model), read_images(folder))
    close_brought()
    values = {name: value for name, value in asdict(model).items() if name != "path"}
    return {**values, "probabilities": plain_predictions(answers)}


def seen_by(workspace: Workspace, email: str) -> dict[str, list[str]]:
    person = replace(workspace, person=person_id(workspace, email))
    things = [*list_runs(person), *list_datasets(person), *list_brought(person)]
    return {
        "id": [str(person.person)],
        "sees": sorted(thing.id for thing in things),
        "owns": sorted(thing.id for thing in things if is_mine(person, thing.path)),
    }


def went_on(folder: Path, run: RunRecord, *words: str) -> dict[str, Any]:
    """What becomes of a copy of a run that goes on; watched figures and losses by epoch."""
    path = run.path
    kept = path.with_name(f".{path.name}")
    shutil.copytree(path, kept)
    with small_weights():
        said = ask(folder, "resume", run.id, *words)
    events = read_events(run.folder.events_file)
    shutil.rmtree(path)
    kept.rename(path)
    return {
        "outcome": said,
        "phases": [event["phase"] for event in events if event["kind"] == "phase"],
        "epochs": [
            {name: event[name] for name in ("epoch", "phase", "loss", "val_loss")}
            for event in events
            if event["kind"] == "epoch"
        ],
        "watched": [event["probabilities"] for event in events if event["kind"] == "pinned"],
    }


# --- one small file -------------------------------------------------------------------------------------------------


def pack(folder: Path, target: Path) -> None:
    """Without a word about this machine in the logs."""
    for log in folder.rglob("log.txt"):
        text = log.read_text(encoding="utf-8")
        for place, shown in ((REPOSITORY, "/srv/dashboard"), (folder, "/srv"), (Path(sys.prefix), "/srv/venv")):
            text = text.replace(str(place), shown)
        log.write_text(text, encoding="utf-8")
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name, filter=of_nobody)


def of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "old"
        folder.mkdir()
        in_a_process(build, folder)
        in_a_process(write_expected, folder)
        pack(folder, target)
    sys.stderr.write(f"{target}: {target.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
