"""``datasets``, ``edit`` and ``audit``: datasets are listed, changed, and looked at."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tl_core.command_line.verb import Output, argument, table
from tl_core.data import SPLITS, Dataset, SplitConfig, find_dataset, list_datasets
from tl_core.data.editing import (
    add_files,
    delete_class,
    divide_again,
    find_images,
    merge_classes,
    move_images,
    remove_duplicates,
    remove_images,
    rename_class,
)
from tl_core.data.imports.class_names import chosen_class_name
from tl_core.data.imports.file_kinds import is_picture_name
from tl_core.data.imports.layouts import LabelledFile
from tl_core.data.imports.sources import SourceFile, file_reader, folder_source
from tl_core.data.revisions import present_revision, redo, undo
from tl_core.errors import ConfigError, DataError, NotEnoughDataError
from tl_core.storage.format import count, moment
from tl_core.storage.workspace import Workspace

SHOWN: Final = 10  # lines of each kind that are printed as text

EDITS: Final = (
    argument("dataset", metavar="DATASET", help="id of a dataset, as `datasets` lists them"),
    argument(
        "--move",
        nargs="+",
        metavar="IMAGE",
        help="move images, named as `datasets DATASET` lists them, to --class, --split or both",
    ),
    argument("--remove", nargs="+", metavar="IMAGE", help="take images out; earlier revisions keep them"),
    argument("--add", nargs="+", type=Path, metavar="PATH", help="add image files, or folders of them, to --class"),
    argument("--class", dest="label", metavar="NAME", help="class for --move and --add; may be a new one"),
    argument("--split", choices=SPLITS, help="split for --move and --add"),
    argument("--rename-class", nargs=2, metavar=("OLD", "NEW"), help="rename a class; NEW may be one there is"),
    argument("--merge-classes", nargs="+", metavar="NAME", help="make one class of several, named by --class"),
    argument("--delete-class", metavar="NAME", help="take a class and its images out"),
    argument("--divide-again", action="store_true", help="draw the split anew, look-alikes on one side"),
    argument("--remove-duplicates", action="store_true", help="keep one of each group of exact copies in a class"),
    argument("--undo", action="store_true", help="go back to the revision before"),
    argument("--redo", action="store_true", help="go on to the revision that was undone"),
)


def list_datasets_or_images(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Print all datasets, or all images of the one that is named."""
    if options.dataset is not None:
        return _list_images(find_dataset(workspace, options.dataset), output)
    found = list_datasets(workspace)
    values = [
        {
            "dataset_id": dataset.id,
            "name": dataset.name,
            "images": len(dataset.images),
            "classes": list(dataset.classes),
            "revision": dataset.revision,
            "created": dataset.created,
        }
        for dataset in found
    ]
    rows = [
        [dataset.id, dataset.name, len(dataset.images), len(dataset.classes), moment(dataset.created)]
        for dataset in found
    ]
    return output.result({"datasets": values}, table(["dataset", "name", "images", "classes", "made"], rows))


def _list_images(dataset: Dataset, output: Output) -> int:
    rows = [[record.source_name, dataset.classes[record.label], record.split] for record in dataset.images]
    head = ["image", "class", "split"]
    return output.result(
        {"dataset_id": dataset.id, "images": [dict(zip(head, row, strict=True)) for row in rows]}, table(head, rows)
    )


def edit(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Change a dataset in one or several steps, each of which is a revision; without any, list its revisions."""
    dataset = find_dataset(workspace, options.dataset)
    skipped: list[dict[str, str]] = []
    _require_use(options)
    for wanted in (name for name in _STEPS if getattr(options, name) not in (None, False)):  # also where it is ""
        before = present_revision(dataset)
        dataset = _STEPS[wanted](workspace, dataset, options, output, skipped)
        what = present_revision(dataset).what if dataset.revision != before.number else "Nothing was changed"
        if wanted == "undo":  # the revision that is gone back to says what was done before
            what = f"“{before.what}” is undone, revision {dataset.revision} counts again"
        output.say(f"--{wanted.replace('_', '-')}: {what}")  # kept, whatever becomes of the steps that follow
    return output.result(
        {
            "dataset_id": dataset.id,
            "dataset_dir": str(dataset.path),
            "revision": dataset.revision,
            "classes": list(dataset.classes),
            "images": {name: len(dataset.of_split(name)) for name in SPLITS},
            "skipped": skipped,
            "revisions": [
                {"number": found.number, "parent": found.parent, "what": found.what, "when": found.when}
                for found in dataset.revisions
            ],
        },
        [
            f"{dataset.id}, revision {dataset.revision}: {count(len(dataset.images), 'image')}",
            *table(
                ["", "revision", "made from", "when", "what"],
                [
                    [
                        "*" * (found.number == dataset.revision),
                        found.number,
                        found.parent or "-",
                        moment(found.when),
                        found.what,
                    ]
                    for found in dataset.revisions
                ],
            ),
        ],
    )


def _require_use(options: argparse.Namespace) -> None:
    """Refuse a target of which no step makes use: somebody has forgotten something."""
    for option, value, steps in (
        ("--class", options.label, ("move", "add", "merge_classes")),
        ("--split", options.split, ("move", "add")),
    ):
        if value is not None and not any(getattr(options, step) for step in steps):
            named = [f"--{step.replace('_', '-')}" for step in steps]
            raise ConfigError(
                f"{option} {value} says where to, and nothing is said to go there: add {' or '.join(named)}."
            )
    if options.merge_classes and len({*options.merge_classes, options.label} - {None}) < 2:
        raise ConfigError(
            f"--merge-classes got “{options.merge_classes[0]}” alone: name several classes, or with --class the one "
            "that it becomes part of."
        )


Step = Callable[[Workspace, Dataset, argparse.Namespace, Output, list[dict[str, str]]], Dataset]


def _move(workspace: Workspace, dataset: Dataset, options: argparse.Namespace, *_: Any) -> Dataset:
    if options.label is None and options.split is None:
        raise ConfigError("--move needs to know where to: name a class with --class, a split with --split, or both.")
    images = find_images(dataset, options.move)
    return move_images(workspace, dataset.id, images, to_class=options.label, to_split=options.split)


def _add(
    workspace: Workspace,
    dataset: Dataset,
    options: argparse.Namespace,
    output: Output,
    skipped: list[dict[str, str]],
) -> Dataset:
    if options.label is None:
        raise ConfigError("--add needs to know the class of the images: name it with --class.")
    label = chosen_class_name(options.label)
    files = [LabelledFile(file, label, None) for path in options.add for file in _files(path)]
    dataset, bad = add_files(workspace, dataset.id, files, split=options.split, task=output.task)
    for file in bad:
        output.say(f"Skipped {file.name}: {file.reason}")
        skipped.append({"name": file.name, "reason": file.reason})
    return dataset


def _files(path: Path) -> list[SourceFile]:
    """What is named on the command line; nothing of it is read yet."""
    if path.is_dir():
        return [file for file in folder_source(path).files if is_picture_name(file.parts[-1])]
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name image files or folders of them.") from error
    return [SourceFile((path.name,), size, file_reader(path))]


_STEPS: Final[dict[str, Step]] = {
    "undo": lambda workspace, dataset, *_: undo(workspace, dataset.id),
    "redo": lambda workspace, dataset, *_: redo(workspace, dataset.id),
    "move": _move,
    "remove": lambda workspace, dataset, options, *_: remove_images(
        workspace, dataset.id, find_images(dataset, options.remove)
    ),
    "add": _add,
    "rename_class": lambda workspace, dataset, options, *_: rename_class(
        workspace, dataset.id, *options.rename_class
    ),
    "merge_classes": lambda workspace, dataset, options, *_: merge_classes(
        workspace,
        dataset.id,
        options.merge_classes,
        options.merge_classes[0] if options.label is None else options.label,
    ),
    "delete_class": lambda workspace, dataset, options, *_: delete_class(workspace, dataset.id, options.delete_class),
    "remove_duplicates": lambda workspace, dataset, *_: remove_duplicates(workspace, dataset.id),
    "divide_again": lambda workspace, dataset, *_: divide_again(workspace, dataset.id, SplitConfig()),
}


def audit(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Look for wrong labels, look-alikes, leaks and shortcuts in a dataset."""
    dataset = find_dataset(workspace, options.dataset)
    from tl_core.audit.report import audit_dataset  # TensorFlow, which a wrong id does without

    found = audit_dataset(dataset, output.task)
    photos = _photos(dataset, output)
    suspects = [
        [suspect.record.source_name, suspect.label, suspect.suggested, f"{suspect.score:.2f}"]
        for suspect in found.label_suspects[:SHOWN]
    ]
    alike = [[pair.first.source_name, pair.second.source_name, pair.kind] for pair in found.look_alikes[:SHOWN]]
    lines = [
        f"{count(len(found.label_suspects), 'label is', 'labels are')} doubtful",
        *(table(["image", "label", "looks like", "score"], suspects) if suspects else []),
        f"{count(len(found.look_alikes), 'pair looks', 'pairs look')} alike, {len(found.leaks):,} of them on both "
        "sides of the split",
        *(table(["image", "image", "kind"], alike) if alike else []),
        *(shortcut.text for shortcut in found.shortcuts),
        *(f"{finding.level}: {finding.text}" for finding in found.health),
        photos["text"],
    ]
    return output.result(found.as_values() | {"photos": photos}, lines)


def _photos(dataset: Dataset, output: Output) -> dict[str, Any]:
    """What more photos would give; where there are too few for a forecast, that alone."""
    from tl_core.audit.learning_curve import photos_needed

    try:
        return photos_needed(dataset, output.task).as_values()
    except NotEnoughDataError as error:
        return {"text": str(error), "overall": None, "classes": []}
