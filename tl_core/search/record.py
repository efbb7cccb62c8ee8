"""A search on the disk: ``workspace/searches/<id>/`` with its record and the events of everything that was tried."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from tl_core.config.validation import require_choice, require_number
from tl_core.data import Dataset, load_dataset
from tl_core.errors import ConfigError, SearchNotFoundError, WorkspaceError
from tl_core.runs.record import Owner
from tl_core.runs.store import is_alive, now, this_process
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.ownership import claim
from tl_core.storage.quota import require_within_quota
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import SEARCH
from tl_core.storage.workspace import Workspace, new_id

Status = Literal["waiting", "running", "done", "stopped", "failed", "interrupted"]
ACTIVE: Final[frozenset[str]] = frozenset({"waiting", "running"})

GOALS: Final = {
    "accuracy": "Only accuracy",
    "balanced": "Accuracy, but size and speed count too",
}
MINUTES_RANGE: Final = (0.05, 24 * 60)
TRIALS_SHARE: Final = 0.8  # of the time, after which nothing more is tried

RECORD_FILE: Final = "search.json"
EVENTS_FILE: Final = "events.jsonl"
STOP_FILE: Final = "stop"  # is there once somebody has asked the search to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search as its folder tells it; a snapshot, read again to see what has changed."""

    id: str
    path: Path
    name: str
    status: Status
    dataset_id: str
    dataset_name: str
    dataset_fingerprint: str
    minutes: float  # that it may take, the training of the winner included
    goal: str  # one of `GOALS`
    seed: int
    recipes: bool = False  # whether the published recipes are tried as well
    downloads: bool = False  # whether weights that are not on this machine may be downloaded
    created: str  # ISO 8601, UTC
    finished: str | None = None
    error: str | None = None  # one sentence, if it failed
    owner: Owner | None = None  # the process it works in
    run_id: str | None = None  # of the winner
    dataset_revision: int | None = None  # that it is for; None = the newest
    outcome: dict[str, Any] = field(default_factory=dict)  # of `tl_core.search.verdict.Verdict`, once it has ended

    @property
    def active(self) -> bool:
        """Whether it waits or works."""
        return self.status in ACTIVE

    @property
    def events_file(self) -> Path:
        """Everything that was tried, one JSON object per line."""
        return self.path / EVENTS_FILE

    @property
    def workspace(self) -> Workspace:
        """Where it lies, asked for nobody in particular."""
        return Workspace(self.path.parent.parent)

    def dataset(self) -> Dataset:
        """The images that it is for, whatever has become of the dataset since.

        Raises:
            DatasetNotFoundError: the dataset was deleted.
            DataError: its files are damaged.
        """
        return load_dataset(self.workspace.datasets / self.dataset_id, self.dataset_revision)


def searches_folder(workspace: Workspace) -> Path:
    """One folder per search, named by its id."""
    return workspace.root / "searches"


def create_search(
    workspace: Workspace,
    dataset: Dataset,
    minutes: float,
    goal: str = "accuracy",
    seed: int = 42,
    *,
    recipes: bool = False,
    downloads: bool = False,
) -> Search:
    """Make the folder of a new search of the person the workspace is asked for; nothing starts here.

    Args:
        dataset: what the model shall learn.
        minutes: that it may take, 0.05 to 1440.
        goal: one of `GOALS`.
        seed: of everything random in it.
        recipes: whether the published recipes are tried as well, in half of the time.
        downloads: whether the weights of other backbones may be downloaded, as far as the time allows to use them.

    Raises:
        ConfigError: a value is out of its range.
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    _check(minutes, goal)
    require_within_quota(workspace)
    search_id = new_id(dataset.name)
    path = searches_folder(workspace) / search_id
    claim(workspace, path)
    search = Search(
        id=search_id,
        path=path,
        name=dataset.name,
        status="waiting",
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        dataset_revision=dataset.revision,
        minutes=minutes,
        goal=goal,
        seed=seed,
        recipes=recipes,
        downloads=downloads,
        created=now(),
        owner=this_process(),
    )
    _write(search)
    return search


def load_search(path: Path) -> Search:
    """Read a search; one whose process is gone is given as ``interrupted``.

    Raises:
        SearchNotFoundError: the folder holds none.
        NewerVersionError: a newer version of this program wrote it.
        WorkspaceError: its record is damaged.
    """
    search = _read(path)
    return replace(search, status="interrupted") if search.active and not is_alive(search.owner) else search


def update_search(path: Path, **changes: Any) -> Search:
    """Write changed fields of the record.

    Raises:
        SearchNotFoundError: the search was deleted.
        WorkspaceError: the record is damaged or cannot be written.
    """
    try:
        with locked(path):
            search = replace(_read(path), **changes)
            _write(search)
            return search
    except FileNotFoundError:
        raise _missing() from None


def prepare_to_go_on(workspace: Workspace, search_id: str, minutes: float = 0.0) -> Search:
    """Let a search that has ended go on where it was, with so many minutes more; nothing starts here.

    Raises:
        SearchNotFoundError: there is none.
        NotYoursError: it is somebody else's.
        ConfigError: that would be too many minutes.
        WorkspaceError: it is at work, or cannot be written.
    """
    search = SEARCHES.find_mine(workspace, search_id)
    if search.active:
        raise WorkspaceError(f"The search on “{search.name}” is at work: stop it first.")
    _check(search.minutes + minutes, search.goal)
    (search.path / STOP_FILE).unlink(missing_ok=True)
    return update_search(
        search.path,
        minutes=search.minutes + minutes,
        status="waiting",
        finished=None,
        error=None,
        owner=this_process(),
        run_id=None,
        outcome={},
    )


def request_stop(workspace: Workspace, search_id: str) -> None:
    """Ask a search to stop and to keep the best that it has found; returns at once.

    Raises:
        SearchNotFoundError: no search can have this id.
        NotYoursError: it is somebody else's.
    """
    path = SEARCHES.require_mine(workspace, search_id)
    if path.is_dir():
        (path / STOP_FILE).touch()


def stop_requested(search: Search) -> bool:
    """Whether somebody has asked it to stop."""
    return (search.path / STOP_FILE).exists()


def _check(minutes: float, goal: str) -> None:
    require_number("The minutes of a search", minutes, *MINUTES_RANGE)
    require_choice("What matters", goal, GOALS)


def _read(path: Path) -> Search:
    try:
        values = SEARCH.upgraded(read_json(path / RECORD_FILE))
    except FileNotFoundError:
        raise _missing() from None
    try:
        known = {name: value for name, value in values.items() if name in _FIELDS}
        known["owner"] = known.get("owner") and Owner(**known["owner"])
        return Search(**{**known, "id": path.name, "path": path})
    except (TypeError, KeyError, AttributeError, ConfigError) as error:
        raise WorkspaceError(f"The record of the search {path.name} is damaged and cannot be read.") from error


def _write(search: Search) -> None:
    values = {name: value for name, value in asdict(search).items() if name != "path"}
    write_json(search.path / RECORD_FILE, SEARCH.stamped(values))


def _missing() -> SearchNotFoundError:
    return SearchNotFoundError("There is no search of this id: it may have been deleted.")


_FIELDS: Final = frozenset(entry.name for entry in fields(Search)) - {"path"}

SEARCHES: Final = Repository("search", searches_folder, load_search, _missing, lambda search: search.created)
find_search = SEARCHES.find  # raises SearchNotFoundError where there is none
list_searches = SEARCHES.list_all
delete_search = SEARCHES.delete  # the winner's run stays
