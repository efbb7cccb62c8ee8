"""A picture, and over it the places that spoke for a class; how strongly they show is chosen in the browser."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.figures.heatmap import LEGEND
from ui.components.pictures import Picture
from ui.components.thumbnail import thumbnail

_ASSETS: Final = Path(__file__).parent / "assets"
_STYLES: Final = (Path(__file__).parents[1] / "assets" / "slider.css", _ASSETS / "picture_view.css")
SHOWN_AT_FIRST: Final = 65  # % of the heat-map, before somebody moves its slider

# Registered once, when the module is imported: a second registration would remount every picture on the screen.
_MOUNT: Final = st.components.v2.component(
    "picture_view",
    css="".join(style.read_text(encoding="utf-8") for style in _STYLES),
    js=(_ASSETS / "picture_view.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class HeatLayer:
    """What is laid over a picture."""

    png: bytes  # transparent where there is nothing to see
    label: str  # the class that it speaks for


def picture_view(picture: Picture, alt: str, key: str, heat: HeatLayer | None = None) -> None:
    """Draw the picture; with a heat-map also its legend and the slider that fades it.

    Args:
        picture: to be shown.
        alt: what it shows, for who does not see it.
        key: names the picture on its page; the same key keeps the slider where it was.
        heat: the places that spoke for a class.
    """
    data = {
        "picture": as_address(thumbnail(picture.id, picture.data)),
        "alt": alt,
        "heat": as_address(heat.png) if heat else None,
        "heatAlt": f"The places that speak for {heat.label}, marked" if heat else "",
        "legend": f"linear-gradient(to right, {', '.join(LEGEND)})",
        "least": "hardly",
        "most": "strongly",
        "share": SHOWN_AT_FIRST,
    }
    _MOUNT(key=key, data=data)


def as_address(image: bytes) -> str:
    """The image as an address that holds it: it goes to the browser with the text, and never flickers."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
