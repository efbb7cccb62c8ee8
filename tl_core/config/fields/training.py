"""How the updates are made; folded away at first."""

from __future__ import annotations

from typing import Final

from tl_core.config.fields.field import Field
from tl_core.config.training import MAX_EPOCHS

TRAINING: Final[tuple[Field, ...]] = (
    Field(
        path="batch_size",
        label="Batch size",
        help="Images per update. Smaller batches need less memory; larger ones are faster on a GPU.",
        section="training",
        control="scale",
        options=(4, 8, 16, 24, 30, 32, 48, 64, 96, 128, 256),
    ),
    Field(
        path="optimizer",
        label="Optimizer",
        help="The rule that turns errors into updates. Adam suits almost everything; AdamW adds weight decay; "
        "RMSprop is what many classic recipes use; SGD with momentum is slow, steady and wants a larger rate.",
        section="training",
        control="choice",
        choices={"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD, momentum"},
    ),
    Field(
        path="weight_decay",
        label="Weight decay",
        help="Pulls all weights a little towards zero at each step, against over-fitting. For AdamW and SGD alone.",
        section="training",
        control="scale",
        options=(0.0, 1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1),
    ),
    Field(
        path="schedule",
        label="Rate schedule",
        help="How the learning rate changes within a phase. Constant: not at all. Cosine: falls smoothly to zero. "
        "On plateau: falls whenever the validation loss stops improving.",
        section="training",
        control="choice",
        choices={"constant": "Constant", "cosine": "Cosine", "plateau": "On plateau"},
    ),
    Field(
        path="early_stopping_patience",
        label="Early stopping: patience",
        help="Ends a phase after so many epochs without a better validation loss. 0 = never stop early. "
        "The best epoch is kept either way.",
        section="training",
        control="whole",
        low=0,
        high=MAX_EPOCHS,
        to_form=lambda patience: patience or 0,
        from_form=lambda patience: int(patience) or None,
    ),
    Field(
        path="label_smoothing",
        label="Label smoothing",
        help="Tells the model to be a little less than certain, which helps when some labels are wrong. "
        "0.1 is usual, 0 is off.",
        section="training",
        control="fraction",
        high=0.5,
        step=0.01,
    ),
    Field(
        path="class_weights",
        label="Balance the classes",
        help="Counts images of rare classes more, so that each class matters the same. Turn it on when some "
        "classes have many more images than others.",
        section="training",
        control="flag",
    ),
)
