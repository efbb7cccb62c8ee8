"""Random changes to the training images; folded away at first."""

from __future__ import annotations

from typing import Final

from tl_core.config.fields.field import Field

AUGMENTATION: Final[tuple[Field, ...]] = (
    Field(
        path="augmentation.horizontal_flip",
        label="Mirror left and right",
        help="Off where left and right mean something, such as letters and digits.",
        section="augmentation",
        control="flag",
    ),
    Field(
        path="augmentation.vertical_flip",
        label="Mirror top and bottom",
        help="For images without an up, such as microscope or satellite pictures.",
        section="augmentation",
        control="flag",
    ),
    Field(
        path="augmentation.rotation_degrees",
        label="Rotation (degrees)",
        help="Turned by up to this angle, either way.",
        section="augmentation",
        control="fraction",
        high=180,
        step=1,
    ),
    Field(
        path="augmentation.zoom",
        label="Zoom",
        help="Nearer or farther by up to this share.",
        section="augmentation",
        control="fraction",
        high=0.9,
        step=0.01,
    ),
    Field(
        path="augmentation.shift",
        label="Shift",
        help="Moved sideways and up or down by up to this share of the image.",
        section="augmentation",
        control="fraction",
        high=0.9,
        step=0.01,
    ),
    Field(
        path="augmentation.shear",
        label="Shear",
        help="Slanted sideways by up to this share of the image.",
        section="augmentation",
        control="fraction",
        step=0.01,
    ),
    Field(
        path="augmentation.brightness",
        label="Brightness",
        help="Brighter or darker by up to this share of the full range.",
        section="augmentation",
        control="fraction",
        step=0.01,
    ),
    Field(
        path="augmentation.contrast",
        label="Contrast",
        help="More or less contrast by up to this share.",
        section="augmentation",
        control="fraction",
        high=0.99,
        step=0.01,
    ),
    Field(
        path="augmentation.fill_mode",
        label="Fill empty borders with",
        help="What stands where the image was moved away from its edge.",
        section="augmentation",
        control="choice",
        choices={"reflect": "Reflection", "nearest": "Nearest pixel", "constant": "Black", "wrap": "Other side"},
    ),
    Field(
        path="augmentation_mode",
        label="Images are changed",
        help="Every epoch: each image is changed anew and runs through the whole backbone; exact and slow. "
        "Once: each image goes through the frozen backbone in a few views, and every epoch draws among them; fast.",
        section="augmentation",
        control="choice",
        choices={"full": "Every epoch", "cached_views": "Once, views are kept"},
    ),
    Field(
        path="views",
        label="Kept views per image",
        help="More views mean more variety and a longer preparation.",
        section="augmentation",
        control="whole",
        low=1,
        high=64,
    ),
)
