"""The images behind the figures: the worst mistakes, the least certain, or one cell of the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import streamlit as st

from tl_core.data import Dataset
from tl_core.evaluation.ranking import least_certain, of_cell, worst_mistakes
from tl_core.figures.confusion import mix_ups
from tl_core.figures.probabilities import probability_text
from tl_core.runs import RunRecord
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.correcting.changing import show_refusal
from ui.components.correcting.since_training import since_training
from ui.components.markdown import plain
from ui.components.thumbnail import dataset_thumbnail
from ui.evaluate_page.closer_look import MeasuredImage, look_closer
from ui.evaluate_page.confusion import confusion_view
from ui.evaluate_page.evaluation import answers_download
from ui.evaluate_page.relabel import Labels, labels_of, mend_cell, mend_label
from ui.shell.errors import error_boundary
from ui.shell.navigation import EVALUATE
from ui.shell.scrolling import show_from_here

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

Order = Literal["worst", "uncertain", "cell"]

ORDERS: Final[dict[Order, str]] = {
    "worst": "Worst mistakes",
    "uncertain": "Least certain",
    "cell": "One cell of the matrix",
}
PER_PAGE: Final = 12


@st.fragment
@error_boundary()
def mix_ups_and_images(workspace: Workspace, dataset: Dataset, run: RunRecord, result: Evaluation, key: str) -> None:
    """Draw the confusion matrix and the images behind it; a click on a cell shows its images."""
    st.header("What is mixed up with what", anchor=False)
    confusion_view(result.confusion, run.classes, key, on_cell=lambda true, said: _choose_cell(key, true, said))
    if arrived := st.session_state.get(f"{key}-arrived", 0):
        show_from_here(str(arrived), key=f"{key}-here")
    st.header("The images behind it", anchor=False)
    show_refusal(f"{key}-mend")
    _images(labels_of(workspace, dataset, f"{key}-mend"), run, result, key)
    answers_download(result, f"{key}-answers", f"{run.id}-{result.split}-answers.csv")


def mix_ups_alone(run: RunRecord, result: Evaluation, key: str) -> None:
    """Draw what stays where the dataset was deleted: the confusion matrix, and no images."""
    st.header("What is mixed up with what", anchor=False)
    st.info(
        f"The dataset “{plain(run.dataset_name)}” has since been deleted. What was measured stays, its images are "
        "gone.",
        icon=":material/hide_image:",
    )
    confusion_view(result.confusion, run.classes, key, on_cell=lambda *_: None)


def forget_arrival(key: str) -> None:
    """Stay at the top of a page that is opened again; for the page, outside the fragment."""
    st.session_state.pop(f"{key}-arrived", None)


def _choose_cell(key: str, true: int, said: int) -> None:
    """What a click on the matrix does: the controls below show that cell, and the page moves there."""
    st.session_state[f"{key}-order"] = "cell"
    st.session_state[f"{key}-true"], st.session_state[f"{key}-said"] = true, said
    st.session_state[f"{key}-arrived"] = st.session_state.get(f"{key}-arrived", 0) + 1


def _images(labels: Labels, run: RunRecord, result: Evaluation, key: str) -> None:
    mistakes = int(result.confusion.sum() - np.trace(result.confusion))
    st.session_state.setdefault(f"{key}-order", "worst" if mistakes else "uncertain")
    order: Order = st.radio(
        "Show",
        list(ORDERS),
        format_func=ORDERS.__getitem__,
        horizontal=True,
        key=f"{key}-order",
        help="Worst: wrong answers with the highest loss. Least certain: where its two likeliest "
        "classes are nearly equal. Or choose a cell, here or by a click on the matrix.",
    )
    if order == "cell":
        true, said = _cell_controls(result, key)
        rows, place = of_cell(result.probabilities, result.labels, true, said), f"cell-{true}-{said}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(cell_sentence(result.classes, true, said, len(rows)), width="content")
            mend_cell(labels, [result.records[row] for row in rows], result.classes[said], f"{key}-{place}-mend")
    elif order == "worst":
        rows, place = worst_mistakes(result.probabilities, result.labels), order
        st.markdown(
            f"{count(mistakes, 'mistake')}, worst first: often a wrong label, a strange photo, or two look-alikes."
            if mistakes
            else "No mistakes. Look at the least certain images instead."
        )
    else:
        rows, place = least_certain(result.probabilities), order
        st.markdown("The images the model is least sure of come first, right or wrong.")
    since_training(labels.workspace, run, f"{key}-changed", EVALUATE)
    pages = -(-len(rows) // PER_PAGE)
    grid = st.container()
    page = st.pagination(pages, key=f"{key}-{place}-page") if pages > 1 else 1
    with grid, st.grid("auto", min_column_width=120, gap="small"):
        for row in rows[(page - 1) * PER_PAGE : page * PER_PAGE].tolist():
            _card(labels, run, measured_image(labels.measured, result, row), f"{key}-{place}-{row}")


def cell_sentence(classes: Sequence[str], true: int, said: int, images: int) -> str:
    """Such as ``3 images of **cat** were taken for **dog**, the surest first.``"""
    really, answer = plain(classes[true]), plain(classes[said])
    if not images:
        return f"No image of **{really}** was " + ("recognised." if true == said else f"taken for **{answer}**.")
    verb = "was" if images == 1 else "were"
    verdict = f"{verb} recognised" if true == said else f"{verb} taken for **{answer}**"
    return f"{count(images, 'image')} of **{really}** {verdict}{', the surest first' if images > 1 else ''}."


def _cell_controls(result: Evaluation, key: str) -> tuple[int, int]:
    worst = next(iter(mix_ups(result.confusion, result.classes, limit=1)), None)
    start = (result.classes.index(worst.true), result.classes.index(worst.predicted)) if worst else (0, 0)
    values = []
    with st.container(horizontal=True):
        for name, label, first in zip(("true", "said"), ("It really is", "The model said"), start, strict=True):
            st.session_state.setdefault(f"{key}-{name}", first)
            classes = range(len(result.classes))
            title = result.classes.__getitem__
            values.append(st.selectbox(label, classes, format_func=title, key=f"{key}-{name}", width=260))
    return values[0], values[1]


def measured_image(dataset: Dataset, result: Evaluation, row: int) -> MeasuredImage:
    """One row of an evaluation, as an image to open."""
    record = result.records[row]
    return MeasuredImage(
        record=record,
        path=dataset.path_of(record),
        truth=int(result.labels[row]),
        probabilities=tuple(result.probabilities[row].tolist()),
    )


def _card(labels: Labels, run: RunRecord, image: MeasuredImage, key: str) -> None:
    really, answer = run.classes[image.truth], run.classes[image.answer]
    sure = probability_text(image.probabilities[image.answer])
    right = image.answer == image.truth
    with st.container(gap="xsmall"):
        st.image(dataset_thumbnail(image.path), width="stretch", alt=f"{really}, the model said {answer}, {sure}")
        mark = ":green[:material/check_circle:]" if right else ":red[:material/cancel:]"
        said = f"{mark} **{plain(answer)}**, {sure}"
        st.markdown(f":small[{said}]" if right else f":small[{said}]  \n:small[really **{plain(really)}**]")
        if st.button("Look closer", icon=":material/search:", key=key, type="tertiary", help="Why did it say that?"):
            look_closer(labels.measured, run, image)
        mend_label(labels, image.record, answer, f"{key}-mend")
