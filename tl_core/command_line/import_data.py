"""``import``: a folder or a zip of class folders becomes a dataset."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from tl_core.command_line.verb import Output
from tl_core.data import SPLITS, Dataset, SplitConfig, import_folder, import_zip, load_dataset
from tl_core.data.imports.archive import OWN_LIMITS
from tl_core.data.samples import SAMPLES, import_sample
from tl_core.errors import DataError, DatasetNotFoundError
from tl_core.storage.workspace import Workspace, is_id


def find_or_import(workspace: Workspace, source: str, output: Output) -> Dataset:
    """The dataset with the id ``source``, else one imported from the folder, zip or sample set of that name.

    Raises:
        DatasetNotFoundError: it is neither.
        DataError: it cannot be imported.
    """
    if is_id(source) and (workspace.datasets / source).is_dir():
        return load_dataset(workspace.datasets / source)
    return import_any(workspace, source, Path(source).stem or "images", SplitConfig(), output)


def import_any(workspace: Workspace, source: str, name: str, split: SplitConfig, output: Output) -> Dataset:
    """Import a folder, a zip file, or a sample set."""
    path = Path(source).expanduser()
    if path.is_dir():
        return import_folder(workspace, path, name, split, output.task)
    if path.is_file():
        if not zipfile.is_zipfile(path):
            raise DataError(
                f"“{source}” is neither a folder nor a zip file: give a folder with one folder per class."
            )
        return import_zip(workspace, path, name, split, output.task, OWN_LIMITS)
    if source in SAMPLES:
        return import_sample(workspace, source, output.task)
    raise DatasetNotFoundError(
        f"There is no dataset, folder, zip file or sample set named “{source}”. "
        f"Sample sets are: {', '.join(SAMPLES)}."
    )


def import_dataset(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Import a folder, a zip or a sample set as a dataset."""
    split = SplitConfig(validation=options.validation, test=options.test, seed=options.seed)
    name = options.name or Path(options.source).stem or "images"
    dataset = import_any(workspace, options.source, name, split, output)
    counts = {name: len(dataset.of_split(name)) for name in SPLITS}
    for skipped in dataset.skipped:
        output.say(f"Skipped {skipped.name}: {skipped.reason}")
    return output.result(
        {
            "dataset_id": dataset.id,
            "dataset_dir": str(dataset.path),
            "name": dataset.name,
            "classes": list(dataset.classes),
            "images": counts,
            "skipped": len(dataset.skipped),
        },
        [
            f"Imported {len(dataset.images):,} images of {len(dataset.classes)} classes as {dataset.id}",
            f"{counts['train']:,} for training, {counts['validation']:,} for validation, "
            f"{counts['test']:,} for the test",
        ],
    )
