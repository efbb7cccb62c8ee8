"""Every backbone the dashboard offers, by name.

To add one, append a record to a module in `families`; a new kind of source also needs a builder in
`tl_core.backbones.build` and a generated outline (``python -m tl_core.backbones.make_outlines NAME``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tl_core.backbones.families import convnext, densenet, efficientnet, inception, mobile, resnet, vgg
from tl_core.backbones.record import Backbone
from tl_core.errors import ConfigError

__all__ = ["BACKBONES", "DEFAULT_BACKBONE", "Backbone", "get_backbone"]

DEFAULT_BACKBONE: Final = "efficientnet_lite0"  # its weights are installed with the dashboard

_FAMILIES: Final = (
    efficientnet.LITE,
    mobile.BACKBONES,
    vgg.BACKBONES,
    resnet.BACKBONES,
    inception.BACKBONES,
    densenet.BACKBONES,
    efficientnet.V1,
    efficientnet.V2,
    convnext.BACKBONES,
)

BACKBONES: Final[Mapping[str, Backbone]] = MappingProxyType(
    {backbone.name: backbone for family in _FAMILIES for backbone in family}
)


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
