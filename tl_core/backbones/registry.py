"""Every backbone the dashboard offers, by name, in the order in which they are offered.

The table is `backbones.csv`, one line per backbone with the fields of `Backbone`. Its figures are those of the
published table at https://keras.io/api/applications/ and the model pages there (milliseconds: batch of 32 on an AMD
EPYC with 92 cores, and on an A100), and for EfficientNet-Lite those of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tl_core.backbones.networks import find_network, list_networks
from tl_core.backbones.record import Backbone
from tl_core.errors import ConfigError
from tl_core.storage.workspace import Workspace, is_id

TABLE: Final = Path(__file__).with_name("backbones.csv")


def _read_table() -> Iterator[Backbone]:
    numbers: dict[Any, type] = {"int": int, "int | None": int, "float | None": float}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values: dict[str, Any] = {}
            for field in fields(Backbone):
                if field.name not in row:
                    continue
                cell = row[field.name]
                values[field.name] = numbers.get(field.type, str)(cell) if cell else None
            yield Backbone(**values)


BACKBONES: Final[Mapping[str, Backbone]] = MappingProxyType({backbone.name: backbone for backbone in _read_table()})


def get_backbone(name: str) -> Backbone:
    """Return a backbone by its name, also one that was brought from elsewhere.

    Raises:
        ConfigError: there is none of this name; the message lists similar names.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        if is_id(name):
            return find_network(name).as_backbone()
        near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.4)
        names = f"Similar names are: {', '.join(near)}." if near else f"There are: {', '.join(sorted(BACKBONES))}."
        raise ConfigError(f"There is no backbone named “{name}”. {names}") from None


def all_backbones(workspace: Workspace | None = None) -> Sequence[Backbone]:
    """Those that were brought, then those of the registry."""
    return [*(network.as_backbone() for network in list_networks(workspace)), *BACKBONES.values()]
