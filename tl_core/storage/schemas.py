"""Versions of the files in the workspace, and how a file of an older version becomes one of today.

A file has its version under ``version``; one without is of version 1. To rename or reshape what a file holds,
append a migration to its schema: files that were written before then open as if they had been written today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tl_core.errors import NewerVersionError

Values = dict[str, Any]
Migration = Callable[[Values], Values]
"""Turns what a file of one version holds into what the next version holds; the argument stays as it is."""

KEY: Final = "version"
ENTRIES: Final = "entries"


@dataclass(frozen=True, slots=True)
class Schema:
    """What is known about the versions of one kind of file."""

    what: str  # for people: "run", "dataset"
    migrations: tuple[Migration, ...] = ()  # from version 1 to 2, from 2 to 3, ...

    @property
    def version(self) -> int:
        """The version that is written today."""
        return len(self.migrations) + 1

    def stamped(self, values: Mapping[str, Any]) -> Values:
        """What is written: the values, and today's version."""
        return {KEY: self.version, **values}

    def stamped_list(self, entries: Sequence[Any]) -> Values:
        """What is written where the file holds a list: its entries, and today's version."""
        return self.stamped({ENTRIES: entries})

    def upgraded_list(self, values: Any) -> Any:
        """The list in a file of any version; before lists had a version the file was the list itself."""
        current = self.upgraded(values)
        return current[ENTRIES] if isinstance(current, Mapping) else current

    def upgraded(self, values: Any) -> Any:
        """The values of a file of any version, as today's version has them, without the version.

        What is not a mapping is returned as it is: its reader refuses it.

        Raises:
            NewerVersionError: a later version of this program has written the file.
        """
        if not isinstance(values, Mapping):
            return values
        current = {name: value for name, value in values.items() if name != KEY}
        version = values.get(KEY, 1)
        if not isinstance(version, int) or version < 1:
            return values  # no version of this program writes that: its reader refuses it
        if version > self.version:
            raise NewerVersionError(
                f"This {self.what} was written by a newer version of this program, so it cannot be opened here: "
                "update this program."
            )
        for migrate in self.migrations[version - 1 :]:
            current = migrate(current)
        return current


def _with_host(values: Values) -> Values:
    owner = values.get("owner")
    return values if owner is None else {**values, "owner": {"host": None, **owner}}


def _with_groups(values: Values) -> Values:
    images = values.get("images")
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        return values  # damaged: its reader refuses it
    return {**values, "images": [{"group": "", **image} for image in images]}


def _with_decoding(values: Values) -> Values:
    return {"decoding": 1, **values}


def _with_penalty_of_hidden_layers_alone(values: Values) -> Values:
    """The L2 penalty of a head without hidden layers had no effect; since then it is on the output layer."""
    head = values.get("head")
    if not isinstance(head, dict) or not head.get("l2") or head.get("dense_units"):
        return values
    return {**values, "head": {**head, "l2": 0.0}}


def _with_twins(values: Values) -> Values:
    images = values.get("images")
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        return values  # damaged: its reader refuses it
    return {**values, "images": [{"twins": "", **image} for image in images]}


RUN: Final = Schema("run", (_with_host,))  # run.json
ANNOTATIONS: Final = Schema("run")  # annotations.json, beside it
CALIBRATION: Final = Schema("calibration")  # confidence.json, beside it
CROSS_VALIDATION: Final = Schema("cross-validation")  # cross-validation.json, beside it
EPOCHS: Final = Schema("list of epochs")  # epochs.json
TRACKING: Final = Schema("note of what MLflow has")  # mlflow.json
WATCHED_IMAGES: Final = Schema("list of pictures")  # pictures.json
# Of a training: in run.json, and in a file saved from the form.
CONFIGURATION: Final = Schema("configuration", (_with_penalty_of_hidden_layers_alone,))
# manifest.json, and one file per revision
DATASET: Final = Schema("dataset", (_with_groups, _with_decoding, _with_twins))
COLLECTION: Final = Schema("collection of pictures")  # collection.json
POINTING: Final = Schema("labelling")  # labelling.json, beside it
SEARCH: Final = Schema("search")  # search.json
IMPORTED_MODEL: Final = Schema("model")  # model.json
NETWORK: Final = Schema("network")  # network.json
