"""``import``: a folder or an archive of class folders becomes a dataset, or is shown as what it would become."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from tl_core.command_line.verb import Output
from tl_core.data import SPLITS, Dataset, SplitConfig, import_folder, import_zip, load_dataset
from tl_core.data.imports.archive import OWN_LIMITS, archive_source, folder_with_zips
from tl_core.data.imports.layouts import understand_layout
from tl_core.data.imports.preview import preview
from tl_core.data.imports.sources import archive_title
from tl_core.data.samples import SAMPLES, import_sample
from tl_core.errors import DataError, DatasetNotFoundError
from tl_core.storage.workspace import Workspace, is_id

SPLIT_FIELDS: Final = tuple(field.name for field in fields(SplitConfig))


def find_or_import(workspace: Workspace, source: str, output: Output) -> Dataset:
    """The dataset with the id ``source``, else one imported from the folder, zip or sample set of that name.

    Raises:
        DatasetNotFoundError: it is neither.
        DataError: it cannot be imported.
    """
    if is_id(source) and (workspace.datasets / source).is_dir():
        return load_dataset(workspace.datasets / source)
    return import_any(workspace, source, output)


def import_any(workspace: Workspace, source: str, output: Output, name: str | None = None, **split: Any) -> Dataset:
    """Import a folder, a zip or tar archive, or a sample set.

    Args:
        name: of the dataset; None = that of the source.
        split: fields of `SplitConfig` that are wanted otherwise than the source has them.
    """
    path = Path(source).expanduser()
    title, shares = name or archive_title(source) or "images", replace(SplitConfig(), **split)
    if path.is_dir():
        return import_folder(workspace, path, title, shares, output.task)
    if path.is_file():
        return import_zip(workspace, path, title, shares, output.task, OWN_LIMITS)
    if source in SAMPLES:
        sample = SAMPLES[source]
        own = replace(sample, title=name or sample.title, split=replace(sample.split, **split))
        return import_sample(workspace, own, output.task)
    raise DatasetNotFoundError(
        f"There is no dataset, folder, archive or sample set named “{source}”. Sample sets are: {', '.join(SAMPLES)}."
    )


def show_import(source: str, workspace: Workspace, output: Output) -> int:
    """Print what an import would make of a folder or an archive; nothing is kept."""
    path = Path(source).expanduser()
    if source in SAMPLES and not path.exists():
        raise DataError(f"“{source}” is a sample set, of which all is known: import it without --dry-run.")
    if not path.exists():
        raise DatasetNotFoundError(f"There is no folder or archive named “{source}”: check the path.")
    with contextlib.ExitStack() as opened:
        found = opened.enter_context(
            folder_with_zips(path)
            if path.is_dir()
            else archive_source(path, workspace.datasets, OWN_LIMITS, output.task)
        )
        understood = preview(understand_layout(found.files, found.skipped))
    return output.result(understood.to_dict(), understood.lines(path.name))


def import_dataset(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Import a folder, a zip or a sample set as a dataset."""
    if options.dry_run:
        return show_import(options.source, workspace, output)
    split = {field: value for field in SPLIT_FIELDS if (value := getattr(options, field)) is not None}
    dataset = import_any(workspace, options.source, output, options.name, **split)
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
