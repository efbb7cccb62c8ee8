"""The imports of this process, in the background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tl_core.data import Dataset
from tl_core.storage.workspace import Workspace
from ui.state.background_tasks import BackgroundTasks, Reporter, Task

DOWNLOADING: Final = "downloading"  # the stage in which bytes are counted, not images

ImportTask = Task[str]  # its result is the id of the dataset
Work = Callable[[Reporter[str]], Dataset]

IMPORTS: Final = BackgroundTasks[str](
    "import",
    at_a_time=2,  # each may hold an upload of 200 MB in memory
    remembered=50,
    unexpected="The import ended because of an unexpected error; nothing of it was kept. The log has the details.",
)


def start_import(workspace: Workspace, title: str, work: Work) -> str:
    """Begin an import into a workspace; returns the task's id."""
    return IMPORTS.start(title, lambda to: work(to).id, _subject(workspace))


def running_imports(workspace: Workspace) -> tuple[ImportTask, ...]:
    """The imports of the person into a workspace that have not ended, oldest first."""
    return IMPORTS.running(_subject(workspace))


def _subject(workspace: Workspace) -> str:
    return f"{workspace.root} {workspace.person or ''}"  # each person sees their own
