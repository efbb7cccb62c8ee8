"""What everybody sees: what to learn from, what to build on, how much of it stays frozen, how fast."""

from __future__ import annotations

from typing import Final

from tl_core.config.fields.field import Field
from tl_core.config.training import MAX_EPOCHS

ESSENTIALS: Final[tuple[Field, ...]] = (
    Field(
        path="preset",
        label="Preset",
        help="A tried recipe that fills in the whole form. You can change anything afterwards.",
        section="essentials",
        control="own",
    ),
    Field(
        path="backbone",
        label="Backbone",
        help="A network that has already learned to see on 1.2 million ImageNet photos. Yours builds on it.",
        section="essentials",
        control="own",
    ),
    Field(
        path="frozen_layers",
        label="Frozen layers",
        help="Frozen layers keep what they learned on ImageNet; the others adapt to your images. Early layers see "
        "edges, colours and textures, which are the same everywhere; late layers see things peculiar to ImageNet. "
        "So unfreeze from the end, and fewer layers the less data you have.",
        section="essentials",
        control="own",
    ),
    Field(
        path="epochs",
        label="Epochs",
        help="How many times the head sees all training images while the backbone is frozen. The best epoch is kept, "
        "so a few too many do no harm.",
        section="essentials",
        control="whole",
        low=1,
        high=MAX_EPOCHS,
    ),
    Field(
        path="learning_rate",
        label="Learning rate",
        help="How large a step each update takes. Too large and the curve jumps about or explodes; too small and it "
        "crawls. 0.001 is a good start for a new head.",
        section="essentials",
        control="rate",
    ),
    Field(
        path="fine_tune_epochs",
        label="Fine-tuning epochs",
        help="How many times the unfrozen layers see all training images, after the head has been trained. "
        "0 leaves fine-tuning out.",
        section="essentials",
        control="whole",
        low=0,
        high=MAX_EPOCHS,
    ),
    Field(
        path="fine_tune_learning_rate",
        label="Fine-tuning rate",
        help="The learning rate once backbone layers learn too. Take it 10 to 100 times smaller than the head's: "
        "large updates would destroy what the backbone has learned.",
        section="essentials",
        control="rate",
    ),
)
