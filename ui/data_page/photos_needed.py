"""How many more photos? Accuracy against their number, for all classes or one, and the forecast in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.figures.datasets.learning_curve import describe_learning_curve, learning_curve_figure
from tl_core.machine.progress import TaskContext
from ui.components.charts import INK, chart
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks

if TYPE_CHECKING:
    from tl_core.audit.learning_curve import PhotosNeeded

FORECASTS: Final = BackgroundTasks[Any](  # the result is the revision and its `PhotosNeeded`
    "forecast",
    at_a_time=1,
    remembered=20,
    unexpected="The forecast ended because of an unexpected error. The log has the details.",
    unit="head",
)
EVERY_CLASS: Final = -1


def show_photos_needed(dataset: Dataset) -> None:
    """Draw the button that starts the forecast, how it stands, and what it says."""
    st.header("How many more photos?", anchor=False)
    task = FORECASTS.latest(dataset.id)
    if task is None or task.state == "stopped":
        st.caption("Trains on more and more of your images, and says what twice as many would probably give.")
        _button(dataset, "Make a forecast")
    elif task_progress(FORECASTS, task, task.id) and task.result is not None:
        revision, found = task.result
        if revision != dataset.revision:
            st.caption(f"From revision {revision}; the images have changed since then.")
            _button(dataset, "Make it again")
        _forecast(dataset, found)
    elif task.ended:
        _button(dataset, "Try again")


def _button(dataset: Dataset, label: str) -> None:
    def begin() -> None:
        FORECASTS.start(dataset.name, lambda context: _measure(dataset, context), dataset.id, alone=True)

    st.button(label, key=f"photos-needed-{dataset.id}", icon=":material/add_chart:", on_click=begin)


def _measure(dataset: Dataset, task: TaskContext) -> tuple[int, PhotosNeeded]:
    from tl_core.audit.learning_curve import photos_needed  # scikit-learn and TensorFlow

    return dataset.revision, photos_needed(dataset, task)


@st.fragment
@error_boundary()
def _forecast(dataset: Dataset, found: PhotosNeeded) -> None:
    st.markdown(f"**{plain(found.text)}**")
    names = [curve.name or "" for curve in found.classes]
    place = st.selectbox(
        "Curve of",
        [EVERY_CLASS, *range(len(names))],
        format_func=lambda number: "All classes" if number == EVERY_CLASS else names[number],
        key=f"photos-needed-class-{dataset.id}",
        width=260,
    )
    curve = found.overall if place == EVERY_CLASS else found.classes[place]
    text = describe_learning_curve(curve, "All classes" if place == EVERY_CLASS else names[place])
    chart(learning_curve_figure(curve, INK), text, f"photos-needed-{dataset.id}-{place}", displayModeBar=False)
    st.caption(
        "Each point is the mean of heads trained on as many photos, judged on pictures that they had not seen; the "
        "band holds 8 of 10 of them. All classes grow together, with photos like these: others, of other places or "
        "in other light, teach more."
    )
