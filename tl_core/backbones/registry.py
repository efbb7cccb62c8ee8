"""Every backbone the dashboard offers, by name.

To add one, add a record to the table in `tl_core.backbones.families`; a new kind of source also needs a builder in
`tl_core.backbones.build` and a generated outline (``python -m tl_core.backbones.make_outlines NAME``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tl_core.backbones.families import BACKBONE_TABLE
from tl_core.backbones.record import Backbone
from tl_core.errors import ConfigError

BACKBONES: Final[Mapping[str, Backbone]] = MappingProxyType({backbone.name: backbone for backbone in BACKBONE_TABLE})


def get_backbone(name: str) -> Backbone:
    """Return a backbone by its name.

    Raises:
        ConfigError: there is none of this name; the message lists similar names.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.4)
        names = f"Similar names are: {', '.join(near)}." if near else f"There are: {', '.join(sorted(BACKBONES))}."
        raise ConfigError(f"There is no backbone named “{name}”. {names}") from None
