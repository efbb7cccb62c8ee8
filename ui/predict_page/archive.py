"""A whole zip of pictures to a table: upload, progress, cancel, download."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.data.imports.archive import LIMITS
from tl_core.imported_models.store import ImportedModel
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count
from ui.components.downloads import download, to_csv
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.predict_page.answers import Asked
from ui.predict_page.prediction_card import REJECTED
from ui.predict_page.table import format_answers
from ui.state.background_tasks import BackgroundTasks, Task

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

    Answers = tuple[Answer, ...]
    ArchiveTask = Task[Answers]

MAX_HEIGHT: Final = 300  # px, of the table of unreadable files
NAMED: Final = 3  # classes per line of the download
_TASK: Final = "zip"  # in the address, so that a reloaded page finds its task again

ARCHIVES: Final[BackgroundTasks[Answers]] = BackgroundTasks(
    "prediction",
    at_a_time=1,  # each holds an upload of up to 200 MB in memory
    remembered=8,  # with their answers
    unit="file",
    unexpected="The prediction ended because of an unexpected error; the server's log has the details.",
)


def predict_archive_section(run: Asked, key: str, epoch: int | None = None) -> None:
    """Draw the section; what it is doing, or has done, stands in it until the next zip. No epoch: the best."""
    task = ARCHIVES.find(st.query_params.get(_TASK))
    title = "A whole zip of pictures"
    with st.expander(title, expanded=task is not None, icon=":material/folder_zip:", key=f"{key}-section"):
        st.caption(
            f"All pictures in a zip, up to {LIMITS.members:,} files and {LIMITS.file_bytes // 1_000_000} MB, are "
            "recognised in the background. You get a table with the three likeliest classes of each. "
            "The pictures are not kept."
        )
        file = st.file_uploader(
            "Zip file", type=["zip"], max_upload_size=LIMITS.file_bytes // 1_000_000, key=f"{key}-file"
        )
        working = task is not None and not task.ended
        if st.button(
            "Recognise all pictures",
            key=f"{key}-start",
            icon=":material/play_arrow:",
            disabled=file is None or working,
            help="The results stay here, also if you reload the page.",
        ):
            assert file is not None  # noqa: S101  # else the button is disabled
            st.query_params[_TASK] = ARCHIVES.start(file.name, _work(run, epoch, file.getvalue()), run.id)
            st.rerun()
        if task is not None:
            if working:
                st.markdown(f"**{plain(task.title)}**")
            if task_progress(ARCHIVES, task, key):
                _done(task, key)


def _work(asked: Asked, epoch: int | None, data: bytes) -> Callable[[TaskContext], Answers]:
    def work(context: TaskContext) -> Answers:
        # They import TensorFlow, so only in the task's thread.
        from tl_core.imported_models.model_server import answerer_of
        from tl_core.inference.predict import answerer_of_run, predict_archive

        answerer = answerer_of(asked) if isinstance(asked, ImportedModel) else answerer_of_run(asked.path, epoch)
        return tuple(predict_archive(answerer, io.BytesIO(data), context))

    return work


def _done(task: ArchiveTask, key: str) -> None:
    answers = task.result or ()
    st.markdown(f"**{plain(task.title)}**: {format_answers(answers, 'file', 'could not be used')}")
    download(
        "Download the table",
        lambda: archive_csv(answers),
        f"{task.subject}-zip.csv",
        key=f"{key}-csv",
        kind="primary",
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


def archive_csv(answers: Sequence[Answer]) -> bytes:
    """One line per file: the answer, the three likeliest classes with their probabilities (0-1), and the error."""
    ranks = range(1, NAMED + 1)
    columns = ["file", "answer", *(f"{what}_{rank}" for rank in ranks for what in ("class", "probability")), "error"]
    return to_csv(columns, [_line(answer) for answer in answers])


def _line(answer: Answer) -> list[Any]:
    ranked: list[str] = [text for name, probability in answer.ranked for text in (name, f"{probability:.6f}")]
    said = answer.ranked[0][0] if answer.answered else REJECTED if answer.ranked else ""
    return [answer.name, said, *ranked, *[""] * (2 * NAMED - len(ranked)), answer.error or ""]
