"""The map of all images: beside it the pictures that are selected on it, or what looks like the one pressed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from tl_core.data import Dataset, ImageRecord, load_dataset
from tl_core.errors import ImageError
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.machine.progress import TaskContext
from tl_core.runs import RunRecord, list_runs
from tl_core.storage.workspace import Workspace
from ui.components.live_chart import bundle_url
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.components.thumbnail import small_copy
from ui.data_page.image_map.colours import COLOURS, Colouring, by_class, by_revision, by_split, by_verdict, describe
from ui.data_page.selection import image_card, select_images, selected_images
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks

if TYPE_CHECKING:
    from tl_core.audit.image_map import ImageMap

MAPS: Final = BackgroundTasks["ImageMap"](
    "map",
    at_a_time=1,
    remembered=4,
    unexpected="The map ended because of an unexpected error. The log has the details.",
)
JUDGED: Final = BackgroundTasks[Mapping[str, str]](  # class names by ``pixels_sha256``
    "judgement",
    at_a_time=1,
    remembered=8,
    unexpected="The images could not be judged because of an unexpected error. The log has the details.",
)
BESIDE: Final = 12  # pictures on one page beside the map
ALIKE: Final = 11  # look-alikes of the picture that was pressed
PICTURE: Final = 128  # px, of the longer side of a picture that hovers
STEPS: Final = 65_535  # along each side of the map
WANTED: Final = 16  # pictures that are brought at once

_AT_ONCE: Final[Mapping[str, Callable[[Dataset], Colouring]]] = {"split": by_split, "added": by_revision}
_ASSETS: Final = Path(__file__).parent / "assets"


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


# Registered once, when the module is imported: a second registration would remount every map on the screen.
_MAP: Final = st.components.v2.component(
    "image_map",
    html=_asset("image_map.html"),
    css=_asset("image_map.css"),
    js=_asset("image_map.js"),
    isolate_styles=False,  # Plotly puts its own style sheet into the document, where a shadow root cannot see it
)
_PICTURES: Final = st.components.v2.component("map_pictures", js=_asset("map_pictures.js"))


def show_map(workspace: Workspace, dataset: Dataset, mine: bool, actions: Callable[[], None]) -> None:
    """Draw the map, or how far it is.

    Args:
        mine: whether its images can be selected.
        actions: draws what can be done with those that are.
    """
    found = _map_of(dataset)
    if found is None:
        return
    colouring, by = _colouring(workspace, dataset)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _mount(dataset, found, colouring, by)
        _bring_pictures(dataset)
    with right:
        actions()
        _beside(dataset, found, mine)


def _map_of(dataset: Dataset) -> ImageMap | None:
    """The map, once it is made; it is begun where there is none of these images."""
    task = MAPS.latest(dataset.id)
    if task is None or (task.result is not None and not task.result.covers(dataset)):
        _begin(dataset)
        task = MAPS.latest(dataset.id)
    if task is None:
        return None
    done = task_progress(MAPS, task, f"map-{dataset.id}")
    if task.ended and not done:
        key = f"map-again-{dataset.id}"
        st.button("Draw the map", key=key, icon=":material/map:", on_click=_begin, args=(dataset,))
    return task.result


def _begin(dataset: Dataset) -> None:
    MAPS.start(dataset.name, lambda context: _make(dataset, context), dataset.id, alone=True)


def _make(dataset: Dataset, task: TaskContext) -> ImageMap:
    from tl_core.audit.image_map import make_map  # scikit-learn and TensorFlow

    return make_map(dataset, task)


def _colouring(workspace: Workspace, dataset: Dataset) -> tuple[Colouring, str]:
    """What somebody chose to colour by; classes while what was chosen is not known yet."""
    runs = {run.id: run for run in list_runs(workspace) if run.dataset_id == dataset.id and run.has_model}
    titles = {**COLOURS, **{run.id: f"Right or wrong: {run.name}" for run in runs.values()}}
    chosen = st.selectbox(
        "Colour by",
        list(titles),
        format_func=titles.__getitem__,
        key=f"map-colour-{dataset.id}",
        width=320,
    )
    colouring = _judged(dataset, runs.get(chosen)) if chosen == "court" or chosen in runs else None
    if colouring is None:
        colouring = _AT_ONCE.get(chosen, by_class)(dataset)
    return colouring, titles[chosen].lower()


def _judged(dataset: Dataset, run: RunRecord | None) -> Colouring | None:
    """Coloured by what a run answers, or by heads that had not seen the picture; None while they are asked."""
    subject = f"{dataset.id} {dataset.fingerprint} court" if run is None else f"{dataset.id} {run.id}"
    task = JUDGED.latest(subject)
    if task is None or task.state == "stopped":
        title = "the labels" if run is None else run.name
        JUDGED.start(title, lambda context: _judge(dataset, run, context), subject, alone=True)
        task = JUDGED.latest(subject)
    if task is None or not task_progress(JUDGED, task, task.id) or task.result is None:
        return None
    if run is None:
        st.caption("Judged by models that had not seen the picture.")
        return by_verdict(dataset, task.result, "agrees with its label", "looks like another class", "new")
    elsewhere = f" of revision {run.dataset_revision}" if run.dataset_revision != dataset.revision else ""
    st.caption(f"What the model answers about the images{elsewhere}, those it has learned from included.")
    return by_verdict(
        dataset, task.result, "right", "wrong", f"not in revision {run.dataset_revision}, which it was trained on"
    )


def _judge(dataset: Dataset, run: RunRecord | None, task: TaskContext) -> dict[str, str]:
    if run is not None:
        from tl_core.evaluation.evaluate import ALL, evaluate_run  # scikit-learn and TensorFlow

        found = evaluate_run(run.path, dataset.path, ALL, task)
        answers = found.probabilities.argmax(axis=1).tolist()
        return {
            record.pixels_sha256: found.classes[answer] for record, answer in zip(found.records, answers, strict=True)
        }
    from tl_core.audit.features import FeatureSource  # TensorFlow
    from tl_core.audit.label_court import judge_labels

    doubtful = judge_labels(dataset, FeatureSource(dataset, task).read(), task).suspects
    answers_of = {record.pixels_sha256: dataset.classes[record.label] for record in dataset.images}
    return answers_of | {suspect.record.pixels_sha256: suspect.suggested for suspect in doubtful}


def _mount(dataset: Dataset, found: ImageMap, colouring: Colouring, by: str) -> None:
    key = f"map-{dataset.id}"
    content, points = _points(found, dataset)
    group_of = _packed(np.array(colouring.group_of))
    row_of = {id(record): row for row, record in enumerate(dataset.images)}

    def chosen() -> None:
        sent: Any = st.session_state[key].get("chosen")
        if records := _records(dataset, content, sent, "rows"):
            select_images(dataset, records, alone=True)
            st.session_state.pop(_opened_key(dataset), None)

    def opened() -> None:
        sent: Any = st.session_state[key].get("opened")
        if records := _records(dataset, content, sent and {**sent, "rows": [sent.get("row")]}, "rows"):
            st.session_state[_opened_key(dataset)] = (content, records[0].file, records[0].source_name)

    data = {
        "key": dataset.id,
        "plotly_url": bundle_url(),
        "content": content,
        "coloured": hashlib.sha256(f"{content} {group_of}".encode()).hexdigest()[:16],
        "group": group_of,
        "groups": [asdict(group) for group in colouring.groups],
        "chosen": [row_of[id(record)] for record in selected_images(dataset)],
        "description": describe(colouring, by),
        **points,
    }
    _MAP(key=key, data=data, on_chosen_change=chosen, on_opened_change=opened)


def _records(dataset: Dataset, content: str, sent: Any, name: str) -> list[ImageRecord]:
    """The images that the browser names by their rows; none where it speaks of other images than these."""
    if not isinstance(sent, Mapping) or sent.get("content") != content:
        return []
    rows = sent.get(name) or []
    return [dataset.images[row] for row in rows if isinstance(row, int) and 0 <= row < len(dataset.images)]


def _points(found: ImageMap, dataset: Dataset) -> tuple[str, dict[str, str]]:
    """A name for these images in this order, and where they lie."""
    places = found.places_of(dataset)
    low, high = places.min(axis=0), places.max(axis=0)
    steps = np.round((places - low) / np.maximum(high - low, 1e-9) * STEPS)
    points = {"x": _packed(steps[:, 0]), "y": _packed(steps[:, 1])}
    names = "\n".join(f"{record.pixels_sha256} {record.source_name}" for record in dataset.images)
    return hashlib.sha256(f"{points['x']} {points['y']} {names}".encode()).hexdigest()[:16], points


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<u2").tobytes()).decode()


@st.fragment
@error_boundary()
def _bring_pictures(dataset: Dataset) -> None:
    """Send the browser the pictures that are pointed at; only this runs again for them."""
    key = f"map-pictures-{dataset.id}"
    sent: Any = st.session_state.get(key)
    wanted = sent.get("wanted") if sent is not None else None
    pictures: dict[str, dict[str, str]] = {}
    if isinstance(wanted, Mapping):
        present = load_dataset(dataset.path)
        for row in list(wanted.get("rows") or [])[:WANTED]:
            if isinstance(row, int) and 0 <= row < len(dataset.images) and present.revision == dataset.revision:
                record = dataset.images[row]
                text = f"{dataset.classes[record.label]}, {SPLIT_TITLES[record.split].lower()}: {record.source_name}"
                pictures[str(row)] = {"source": _picture(dataset.path_of(record)), "text": text}
    answered = wanted if isinstance(wanted, Mapping) else {}
    _PICTURES(
        key=key,
        data={
            "map": dataset.id,
            "content": answered.get("content", ""),
            "answer": answered.get("answer", ""),
            "pictures": pictures,
        },
        on_wanted_change=lambda: None,
    )


@st.cache_data(max_entries=4000, show_spinner=False)
def _picture(path: Path) -> str:
    """A small copy as an address that holds it; empty where it cannot be read."""
    try:
        encoded = small_copy(path.read_bytes(), PICTURE)
    except (OSError, ImageError):
        return ""
    kind = "image/png" if encoded.startswith(b"\x89PNG") else "image/jpeg"
    return f"data:{kind};base64,{base64.b64encode(encoded).decode()}"


def _opened_key(dataset: Dataset) -> str:
    return f"map-opened-{dataset.id}"


def _beside(dataset: Dataset, found: ImageMap, mine: bool) -> None:
    """The pictures beside the map: what looks like the one pressed, else those that are selected."""
    _, file, name = st.session_state.get(_opened_key(dataset), ("", "", ""))
    opened = next((image for image in dataset.images if (image.file, image.source_name) == (file, name)), None)
    if opened is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Looks like {plain(opened.source_name)}**", width="stretch")
            st.button(
                "Close",
                key=f"map-close-{dataset.id}",
                icon=":material/close:",
                type="tertiary",
                on_click=st.session_state.pop,
                args=(_opened_key(dataset), None),
            )
        _pictures(dataset, [opened, *found.look_alikes(dataset, opened, ALIKE)], mine)
        return
    chosen = selected_images(dataset)
    if not chosen:
        st.caption(
            "Pictures that look alike lie beside each other. Draw around some to select them, or press one to see "
            "what looks like it."
        )
        return
    pages = -(-len(chosen) // BESIDE)
    grid = st.container()
    page = st.pagination(pages, key=f"map-page-{dataset.id}-{pages}") if pages > 1 else 1
    with grid:
        _pictures(dataset, chosen[(page - 1) * BESIDE : page * BESIDE], mine)


def _pictures(dataset: Dataset, records: Sequence[ImageRecord], mine: bool) -> None:
    with st.grid("auto", min_column_width=84, gap="small"):
        for record in records:
            image_card(dataset, record, mine, "map")
