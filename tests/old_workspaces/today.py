"""Today's version of the calls that ``make_*.py`` made to the code of its commit, with the new names."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.old_workspaces.answers import Values, read_images
from tl_core.config.phases import phases_of
from tl_core.data import find_dataset
from tl_core.data.dataset import list_datasets
from tl_core.imported_models.store import list_imported_models, load_imported_model
from tl_core.runs import RunRecord, list_runs, load_run, read_events, read_progress
from tl_core.runs.epoch_checkpoints import epoch_checkpoints
from tl_core.runs.watched_images import watched_draft, watched_images
from tl_core.storage.ownership import is_mine, person_id
from tl_core.storage.workspace import Workspace
from ui.state.config_text import from_text


def workspace_of(folder: Path) -> Workspace:
    return Workspace(folder / "workspace")


def run_of(folder: Path, run_id: str) -> RunRecord:
    return load_run(workspace_of(folder).runs / run_id)


def record_of(folder: Path, run_id: str) -> Values:
    run = run_of(folder, run_id)
    progress = read_progress(run)
    return {
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
        "kept_epochs": [asdict(entry) for entry in epoch_checkpoints(run.folder)],
        "watched": [[picture.name, picture.truth] for picture in watched_images(run.folder)],
    }


def checkpoint_of(folder: Path, run_id: str) -> Values | None:
    from tl_core.training.callbacks.backup import load_checkpoint

    run = run_of(folder, run_id)
    found = load_checkpoint(run.folder)
    if found is None:
        return None
    (phase,) = (phase for phase in phases_of(run.config) if phase.name == found.phase)
    best = found.callbacks["best_model"]["best"]
    return {
        "phase": found.phase,
        "next_epoch": found.epoch + 1,
        "last_epoch": found.first_epoch + phase.epochs - 1,
        "best_epoch": best and best["epoch"],
    }


def dataset_of(folder: Path, dataset_id: str) -> Values:
    dataset = find_dataset(workspace_of(folder), dataset_id)
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
        "files": [dataset.path_of(image).is_file() for image in dataset.images],
    }


def imported_model_of(folder: Path, model_id: str) -> Values:
    return asdict(load_imported_model(workspace_of(folder), model_id))


def imported_model_says(folder: Path, model_id: str) -> list[list[float]]:
    from tl_core.imported_models.model_server import answerer_of, close_imported_model
    from tl_core.inference.predict import predict_with

    model = load_imported_model(workspace_of(folder), model_id)
    try:
        answers = predict_with(answerer_of(model), read_images(folder))
    finally:
        close_imported_model()
    return [[dict(answer.ranked)[name] for name in model.classes] for answer in answers]


def seen_by(folder: Path, email: str) -> dict[str, list[str]]:
    workspace = workspace_of(folder)
    person = replace(workspace, person=person_id(workspace, email))
    things: list[Any] = [*list_runs(person), *list_datasets(person), *list_imported_models(person)]
    return {
        "id": [str(person.person)],
        "sees": sorted(thing.id for thing in things),
        "owns": sorted(thing.id for thing in things if is_mine(person, thing.path)),
    }


def settings_of(file: Path) -> Values:
    return from_text(file.read_bytes()).to_dict()


def draft_of(folder: Path, draft_id: str) -> list[list[Any]]:
    return [
        [pin.name, pin.suffix, len(pin.encoded), pin.truth] for pin in watched_draft(workspace_of(folder), draft_id)
    ]
