"""What the backbone sees and starts from, and how the computer calculates; folded away at first."""

from __future__ import annotations

from typing import Final

from tl_core.config.fields.field import Field
from tl_core.config.training import MAX_KEPT_EPOCHS

MACHINE: Final[tuple[Field, ...]] = (
    Field(
        path="image_size",
        label="Image size",
        help="Width and height, in pixels, of what the backbone sees. Smaller is faster; details get lost.",
        section="machine",
        control="own",
    ),
    Field(
        path="weights",
        label="The backbone starts from",
        help="ImageNet: what it learned from 1.2 million photos; this is transfer learning. Random: nothing, to see "
        "how much transfer learning helps.",
        section="machine",
        control="choice",
        choices={"imagenet": "ImageNet", "random": "Random"},
    ),
    Field(
        path="keep_last_epochs",
        label="Keep the last epochs",
        help="Keeps the models of the last few epochs (checkpoints) beside the best one: the Predict page can ask "
        "each of them, also while the training goes on. Only the weights that learn take space on the disk. "
        "0 = keep the best epoch alone.",
        section="machine",
        control="whole",
        low=0,
        high=MAX_KEPT_EPOCHS,
    ),
    Field(
        path="precision",
        label="Precision",
        help="How finely the computer calculates. Automatic takes the fastest that this machine does well; "
        "float32 is the safest; the 16-bit kinds halve the memory.",
        section="machine",
        control="choice",
        choices={
            "auto": "Automatic",
            "float32": "float32",
            "mixed_float16": "Mixed float16",
            "mixed_bfloat16": "Mixed bfloat16",
        },
    ),
    Field(
        path="seed",
        label="Seed",
        help="The start of everything random. The same seed gives the same curve on a CPU.",
        section="machine",
        control="whole",
        low=0,
        high=2**31 - 1,
    ),
)
