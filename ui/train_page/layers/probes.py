"""How far the classes are apart after each block: a chart under the block map, made when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import streamlit as st

from tl_core.backbones.registry import get_backbone
from tl_core.data import Dataset
from tl_core.figures.block_probes import block_probes_figure
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import percent
from ui.components.charts import INK, chart
from ui.components.task_progress import task_progress
from ui.state.background_tasks import BackgroundTasks
from ui.state.training_draft import draft

if TYPE_CHECKING:
    from tl_core.audit.layers.probes import BlockProbe, LayerStudy

STUDIES: Final = BackgroundTasks[Any](  # the result is a `LayerStudy`
    "look into the layers",
    at_a_time=1,
    remembered=20,
    unexpected="Looking into the layers ended because of an unexpected error. The log has the details.",
)
_CLEAR: Final = 0.02  # of accuracy; a smaller difference says nothing


class Seeing(NamedTuple):
    """How a backbone gets its pictures."""

    backbone: str
    size: int | None  # pixels; None = the backbone's own
    fit: str  # what becomes of pictures that are not square


def probe_chart(dataset: Dataset, frozen_layers: int) -> None:
    """Draw the button, the progress of the work, or the chart and what it says about the frozen layers."""
    task = STUDIES.latest(subject_of(dataset))
    if task is None or task.state == "stopped":
        st.button(
            "What does each block know?",
            key="train_probe",
            icon=":material/query_stats:",
            help="Shows after which block your classes can be told apart. It runs up to 2,000 of your images through "
            "the backbone once and takes some seconds; nothing is trained.",
            on_click=_start,
            args=(dataset,),
        )
    elif task_progress(STUDIES, task, "train_probe") and task.result is not None:
        study: LayerStudy = task.result
        sentence = describe_study(study, frozen_layers)
        chart(
            block_probes_figure(
                [block.title for block in study.blocks],
                [block.accuracy for block in study.blocks],
                [block.end <= frozen_layers for block in study.blocks],
                study.chance,
                INK,
            ),
            sentence,
            key="train_probe_chart",
            displayModeBar=False,
        )
        st.caption(sentence)
    elif task.error:
        st.button("Try again", key="train_probe", on_click=_start, args=(dataset,))


def subject_of(dataset: Dataset) -> str:
    """What a study belongs to: these images, and how which backbone sees them."""
    return f"{dataset.path}|{dataset.revision}|{seen_by()}"


def study_of(dataset: Dataset) -> LayerStudy | None:
    """What was found out about the chosen images and backbone; None where nobody has asked yet."""
    task = STUDIES.latest(subject_of(dataset))
    return task.result if task else None


def seen_by() -> Seeing:
    """The backbone of the form, and how it gets its pictures."""
    values = draft().values
    return Seeing(values["backbone"], values["image_size"], values["fit"])


def _start(dataset: Dataset) -> None:
    seeing = seen_by()
    title = f"The look into {get_backbone(seeing.backbone).title}"
    STUDIES.start(title, lambda task: _study(dataset, seeing, task), subject_of(dataset), alone=True)


def _study(dataset: Dataset, seeing: Seeing, task: TaskContext) -> LayerStudy:
    from tl_core.audit.layers.probes import study_layers  # imports TensorFlow

    return study_layers(dataset, seeing.backbone, seeing.size, task, seeing.fit)


def describe_study(study: LayerStudy, frozen_layers: int) -> str:
    """The chart in words: how far apart the classes are early, at the end of the frozen part and at the best place,
    and what follows for the slider."""
    blocks = study.blocks
    best = max(blocks, key=lambda block: block.accuracy)
    frozen = study.after(frozen_layers)
    named = list(dict.fromkeys((blocks[0].title, *((frozen.title,) if frozen else ()), best.title, blocks[-1].title)))
    shown = [block for block in blocks if block.title in named]
    parts = [f"after {shown[0].title} a simple classifier gets {percent(shown[0].accuracy, 0)} right"]
    parts += [f"after {block.title} {percent(block.accuracy, 0)}" for block in shown[1:]]
    first = ", ".join(parts)
    return f"{first[0].upper()}{first[1:]} (guessing: {percent(study.chance, 0)}). {_advice(blocks, best, frozen)}"


def _advice(blocks: Sequence[BlockProbe], best: BlockProbe, frozen: BlockProbe | None) -> str:
    if best.accuracy - blocks[-1].accuracy > _CLEAR:
        return (
            f"The blocks after {best.title} were made for other pictures and lose some of it: raise *Blocks "
            "that give features* (in *More options*), or fine-tune the last blocks."
        )
    if frozen is None:
        return "The early blocks know this without having seen your images: freezing them loses nothing."
    if blocks[-1].accuracy - frozen.accuracy <= _CLEAR:
        return "It knows all this without one image of yours: what is frozen is good as it is."
    return "The frozen blocks know this without having seen your images; the trainable ones have the rest to gain."
