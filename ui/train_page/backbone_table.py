"""The backbones as a table: what each is good for, what it costs, and whether it can be used at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from tl_core.backbones.record import Backbone

Row = dict[str, Any]

HERE: Final = "on this machine"


class Column(NamedTuple):
    """How a value of each backbone is shown."""

    title: str
    help: str | None = None
    format: str | None = None  # of a number; None = it is a text


COLUMNS: Final[Mapping[str, Column]] = {
    "title": Column("Backbone"),
    "weights": Column(
        "Weights", "Whether the pretrained weights are on this machine, or have to be downloaded once."
    ),
    "top1": Column(
        "ImageNet accuracy",
        "Published share of ImageNet photos for which its first answer is right.",
        "%.1f %%",
    ),
    "parameters": Column(
        "Parameters, M",
        "Millions of numbers it has learned, without the head, which is made anew for your classes.",
        "%.1f",
    ),
    "input": Column("Image size, px", "Width and height of the images it was trained on.", "%d"),
    "family": Column("Family"),
}


def backbone_rows(backbones: Iterable[Backbone], is_here: Callable[[Backbone], bool]) -> list[Row]:
    """One row per backbone, those that can be used at once first."""
    rows: list[Row] = []
    for backbone in backbones:
        here = is_here(backbone)
        rows.append(
            {
                "name": backbone.name,
                "here": here,
                "title": backbone.title,
                "weights": availability(backbone, here=here),
                "family": backbone.family,
                "top1": backbone.top1,
                "parameters": backbone.base_parameters / 1e6,
                "input": backbone.image_size,
            }
        )
    return sorted(rows, key=lambda row: not row["here"])


def search(rows: Iterable[Row], words: str) -> list[Row]:
    """The rows in which every word occurs, in whatever case and place."""

    def matches(row: Row) -> bool:
        text = f"{row['title']} {row['name']} {row['family']} {row['weights']}".casefold()
        return all(word in text for word in words.casefold().split())

    return list(filter(matches, rows))


def availability(backbone: Backbone, *, here: bool) -> str:
    """Whether the weights are here, or how much there is to download."""
    if here:
        return HERE
    return f"{backbone.download_mb:.0f} MB download" if backbone.download_mb else "not installed"


def describe_backbone(backbone: Backbone, *, here: bool) -> str:
    """The current choice in one line."""
    parts = [f"{backbone.base_parameters / 1e6:.1f} M parameters without a head"]
    if backbone.top1 is not None:
        parts.append(f"{backbone.top1:g} % right on ImageNet")
    parts.append(f"trained on {backbone.image_size} px images")
    parts.append(f"weights: {availability(backbone, here=here)}")
    return " · ".join(parts)


def how_to_get_weights(backbone: Backbone) -> str:
    """What has to happen before the first training with this backbone, and the way without a network."""
    if backbone.weights_url is None:
        return f"Its weights come with the Python package {backbone.weights_package}, which is not installed."
    return (
        f"Start downloads its weights once ({backbone.download_mb:.0f} MB). If this machine has no network, bring "
        f"the file [{backbone.weights_file}]({backbone.weights_url}) into the folder “weights” of the workspace, or "
        f"choose a backbone whose weights are {HERE}."
    )
