"""A whole zip of pictures to a table: upload, progress, cancel, download."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data.imports.archive import ArchiveLimits, zip_source
from tl_core.data.imports.file_kinds import is_picture_name
from tl_core.errors import TransferLearningError
from tl_core.figures.palette import ANSWER
from tl_core.imported_models.store import ImportedModel
from tl_core.inference.novelty import knows
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, percent, size
from tl_core.storage.workspace import Workspace
from ui.components.downloads import download, to_csv
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.prediction.answers import Asked
from ui.components.prediction.card import refusal
from ui.components.task_progress import task_progress
from ui.predict_page.imported_models import opened
from ui.predict_page.model_scale import waits_for_scale
from ui.predict_page.table import format_answers
from ui.shell.access.endpoints import archive_limits
from ui.state.background_tasks import BackgroundTasks, Task

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

logger = logging.getLogger(__name__)

TABLE_HEIGHT: Final = 480  # px, of the table of answers ...
MAX_HEIGHT: Final = 300  # ... and of that of unreadable files
NAMED: Final = 3  # classes per line of the download
_TASK: Final = "zip"  # in the address, so that a reloaded page finds its task again


@dataclass(frozen=True)
class Recognised:
    """The answers to a whole zip, in its order, and all of them as a table to download."""

    answers: tuple[Answer, ...]
    table: bytes


ARCHIVES: Final[BackgroundTasks[Recognised]] = BackgroundTasks(
    "prediction",
    at_a_time=1,  # each may hold a large upload in memory
    remembered=8,  # with their answers
    unit="file",
    unexpected="The prediction ended because of an unexpected error; the server's log has the details.",
)


def task_in_address() -> Task[Recognised] | None:
    """The zip whose answers the address names, as long as they are known."""
    return ARCHIVES.find(st.query_params.get(_TASK))


def archive_upload(workspace: Workspace, asked: Asked, key: str, epoch: int | None = None) -> None:
    """Draw the field for a zip, and the button that has all its pictures recognised. No epoch: the best.

    A model that does not say how its images are scaled is first asked about the first picture of the zip.
    """
    task = task_in_address()
    limits = archive_limits()
    file = st.file_uploader(
        "A zip of pictures", type=["zip"], max_upload_size=limits.file_bytes // 1_000_000, key=f"{key}-file"
    )
    st.caption(
        f"Up to {limits.members:,} files and {size(limits.file_bytes)}. It works in the background, and "
        "the table appears on this page. The pictures are not kept."
    )
    if file is not None and isinstance(asked, ImportedModel) and not asked.scaling:
        picture = _first_picture(file, limits)
        if picture and not opened(workspace, asked, f"{key}-opening"):
            return
        if picture and waits_for_scale(workspace, [asked], picture, f"{key}-scale"):
            return
    if st.button(
        "Recognise all pictures",
        key=f"{key}-start",
        icon=":material/play_arrow:",
        type="primary",
        disabled=file is None or (task is not None and not task.ended),
        help="The results stay here, also if you reload the page.",
    ):
        assert file is not None  # noqa: S101  # else the button is disabled
        st.query_params[_TASK] = ARCHIVES.start(file.name, _work(asked, epoch, file, limits), asked.id)
        st.rerun()


def _first_picture(file: UploadedFile, limits: ArchiveLimits) -> Picture | None:
    """The first picture of a zip; None where there is none: why, the work itself says."""
    try:
        with zip_source(file, limits) as source:
            for found in source.files:
                if is_picture_name(found.parts[-1]):
                    return Picture(f"{file.file_id}-{found.shown_name}", found.shown_name, found.read())
    except TransferLearningError:
        logger.info("The first picture of %s cannot be shown", file.name, exc_info=True)
    return None


def archive_answers(key: str) -> None:
    """Draw what the zip of the address is doing, or its table."""
    task = task_in_address()
    if task is None:
        st.markdown("The table of all answers appears here.")
        return
    if not task.ended:
        st.markdown(f"**{plain(task.title)}**")
    if task_progress(ARCHIVES, task, key):
        _done(task, key)


def _work(
    asked: Asked, epoch: int | None, archive: BinaryIO, limits: ArchiveLimits
) -> Callable[[TaskContext], Recognised]:
    def work(context: TaskContext) -> Recognised:
        # They import TensorFlow, so only in the task's thread.
        from tl_core.imported_models.model_server import answerer_of
        from tl_core.inference.predict import answerer_of_run, open_knowing, predict_archive

        if not isinstance(asked, ImportedModel):
            learns = not knows(asked.folder, asked.model_sha256)
            open_knowing(asked.path, epoch, context.part(0.0, 0.5))
            context = context.part(0.5, 1.0) if learns else context
        answerer = answerer_of(asked) if isinstance(asked, ImportedModel) else answerer_of_run(asked.path, epoch)
        answers = tuple(predict_archive(answerer, archive, context, limits=limits))
        return Recognised(answers, archive_csv(answers))

    return work


def _done(task: Task[Recognised], key: str) -> None:
    assert task.result is not None  # noqa: S101  # a task that succeeded has one
    answers = task.result.answers
    st.markdown(f"**{plain(task.title)}**: {format_answers(answers, 'file', 'could not be used')}")
    usable = [answer for answer in answers if not answer.error]
    if usable:
        _table(usable, f"{key}-table")
    download(
        "Download the table",
        task.result.table,
        f"{task.subject}-zip.csv",
        key=f"{key}-csv",
        help="As CSV: one line per file, with its three likeliest classes and their probabilities.",
    )
    unreadable = [{"file": answer.name, "reason": answer.error} for answer in answers if answer.error]
    if unreadable:
        st.markdown(f"**{count(len(unreadable), 'file')} could not be used:**")
        st.dataframe(
            unreadable,
            hide_index=True,
            column_config={"file": "File", "reason": "Why"},
            height=min(MAX_HEIGHT, 35 * (len(unreadable) + 1) + 3),
            key=f"{key}-unreadable",
            alt="The files that could not be used, and why",
        )


def _table(answers: Sequence[Answer], key: str) -> None:
    """One row per picture: the answer, how sure it is, and what else it could be."""
    rows = [
        {
            "file": answer.name,
            "answer": answer.ranked[0][0] if answer.answered else refusal(answer),
            "probability": answer.ranked[0][1] * 100 if answer.answered else None,
            "next": ", ".join(
                f"{name} {percent(share)}" for name, share in answer.ranked[1 if answer.answered else 0 : NAMED]
            ),
        }
        for answer in answers
    ]
    probability = st.column_config.ProgressColumn(
        "How sure", format="%.1f %%", min_value=0, max_value=100, color=ANSWER
    )
    st.dataframe(
        rows,
        hide_index=True,
        column_config={"file": "File", "answer": "Answer", "probability": probability, "next": "Else perhaps"},
        height=min(TABLE_HEIGHT, 35 * (len(rows) + 1) + 3),
        placeholder="–",
        key=key,
        alt="The model's answer for each picture of the zip",
    )


def archive_csv(answers: Sequence[Answer]) -> bytes:
    """One line per file: the answer or why there is none, the three likeliest classes (0-1), and the error.

    Why is ``unlike``, ``unsure`` or ``unusable``, as in `Answer.reason`.
    """
    named = [f"{what}_{rank}" for rank in range(1, NAMED + 1) for what in ("class", "probability")]
    columns = ["file", "answer", "reason", *named, "error"]
    return to_csv(columns, [_line(answer) for answer in answers])


def _line(answer: Answer) -> list[Any]:
    ranked: list[str] = [text for name, probability in answer.ranked for text in (name, f"{probability:.6f}")]
    said = (answer.ranked[0][0] if answer.answered else refusal(answer)) if answer.ranked else ""
    return [answer.name, said, answer.reason or "", *ranked, *[""] * (2 * NAMED - len(ranked)), answer.error or ""]
