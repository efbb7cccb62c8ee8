"""The current dataset and the current model of a browser tab: one choice, which all pages share.

The address names it, so that a link and a reload show the same; where the address names nothing, the tab remembers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from tl_core.data import Dataset, list_datasets
from tl_core.errors import TransferLearningError
from tl_core.imported_models.store import ImportedModel, list_imported_models
from tl_core.runs import RunRecord, list_runs
from tl_core.search.record import find_search
from tl_core.storage.workspace import Workspace
from ui.shell.navigation import DATASET, EVALUATE, MODEL, PREDICT, RUN, SEARCH, Page

_KEY: Final = "current"
FILE: Final = "model"  # in the address of Predict: the id of the imported model that answers ...
ANY_FILE: Final = "any"  # ... or whichever there is
_ASKS_A_MODEL: Final = frozenset({EVALUATE, PREDICT})  # pages whose ?run= is the current model


@dataclass(frozen=True, slots=True)
class Choice:
    """Ids of a dataset and of a run with a model; None where there is none."""

    dataset: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """What is chosen, and what there is to choose from."""

    choice: Choice
    datasets: tuple[Dataset, ...]  # newest first
    runs: tuple[RunRecord, ...]  # all, newest first
    asks_a_file: bool = False  # whether a model from a file answers, in place of a run's ...
    file: ImportedModel | None = None  # ... and which one; None while there is none

    @property
    def dataset(self) -> Dataset | None:
        """The current dataset."""
        return next((dataset for dataset in self.datasets if dataset.id == self.choice.dataset), None)

    @property
    def run(self) -> RunRecord | None:
        """The run of the current model."""
        return next((run for run in self.runs if run.id == self.choice.run), None)

    @property
    def models(self) -> tuple[RunRecord, ...]:
        """The runs that have a model: those of the current dataset first, newest first."""
        found = [run for run in self.runs if run.has_model]
        return tuple(sorted(found, key=lambda run: run.dataset_id != self.choice.dataset))


def settle(workspace: Workspace, page: Page | None = None) -> Current:
    """Decide what is current for this run of the page, remember it, and write it into the address.

    What the address names in vain stays in it, for the page to say so.
    """
    datasets, runs = list_datasets(workspace), list_runs(workspace)
    asked = dict(st.query_params)
    choice = decide(_with_images_of_search(workspace, asked), remembered(), datasets, runs)
    st.session_state[_KEY] = choice
    if page is not None:
        known = {dataset.id for dataset in datasets} | {run.id for run in runs if run.has_model}
        dead = {name: value for name, value in asked.items() if name in (DATASET, RUN) and value not in known}
        # Also where nothing is new: a link to the page one is on has left the address of the browser as it was.
        st.query_params.from_dict({**asked, **address_of(choice, page, opened=RUN in asked), **dead})
    if page != PREDICT:
        return Current(choice, tuple(datasets), tuple(runs))
    files = list_imported_models(workspace)
    from_file = asks_a_file(asked, files, runs)
    return Current(choice, tuple(datasets), tuple(runs), from_file, chosen_file(asked, files) if from_file else None)


def _with_images_of_search(workspace: Workspace, asked: Mapping[str, str]) -> Mapping[str, str]:
    """The address, and where it names a search and no images, the images of that search."""
    if SEARCH in asked and DATASET not in asked:
        with contextlib.suppress(TransferLearningError):  # gone, or somebody else's: the page says so
            return {**asked, DATASET: find_search(workspace, asked[SEARCH]).dataset_id}
    return asked


def asks_a_file(asked: Mapping[str, str], files: Sequence[ImportedModel], runs: Sequence[RunRecord]) -> bool:
    """Whether Predict asks a model from a file: the address names one, or there are files alone.

    Args:
        asked: the parameters of the address.
        files: all imported models.
        runs: all there are.
    """
    return FILE in asked or (RUN not in asked and bool(files) and not any(run.has_model for run in runs))


def chosen_file(asked: Mapping[str, str], files: Sequence[ImportedModel]) -> ImportedModel | None:
    """The imported model that the address names, else the newest; ``files`` are given newest first."""
    named = [model for model in files if model.id == asked.get(FILE)]
    return next(iter([*named, *files]), None)


def decide(asked: Mapping[str, str], last: Choice, datasets: Sequence[Dataset], runs: Sequence[RunRecord]) -> Choice:
    """What is current.

    A run that the address names brings its images with it, or none where they were deleted. Else the dataset that the
    address names counts, then the one of the last choice, then the one that was worked with last; and of the models
    that have learned from it the one that the address names, the one chosen last, or the newest.

    Args:
        asked: the parameters of the address.
        last: what was current before.
        datasets: all there are, newest first.
        runs: all there are, newest first.
    """
    of_run = {run.id: run.dataset_id for run in runs}
    there = [dataset.id for dataset in datasets]
    named = asked.get(RUN, "")
    wanted = [of_run.get(named), asked.get(DATASET), last.dataset, _worked_with_last(datasets, runs)]
    dataset = next((found for found in wanted if found in there), None)
    models = [run for run in runs if run.has_model]
    if named in {run.id for run in models} and of_run[named] not in there:
        return Choice(None, named)  # its images were deleted, and no others are paired with it
    of_dataset = [run.id for run in models if run.dataset_id == dataset]
    if dataset is None:  # images that were deleted leave their models
        of_dataset = [run.id for run in models]
    if named in {run.id for run in models}:
        return Choice(dataset, named)
    chosen = next((run for run in (asked.get(MODEL), last.run) if run in of_dataset), None)
    return Choice(dataset, chosen or newest_model([run for run in models if run.id in of_dataset]))


def newest_model(runs: Sequence[RunRecord]) -> str | None:
    """The first of runs that are given newest first, leaving out those in progress if there are others."""
    return next((run.id for run in runs if not run.active), runs[0].id if runs else None)


def _worked_with_last(datasets: Sequence[Dataset], runs: Sequence[RunRecord]) -> str | None:
    there = {dataset.id for dataset in datasets}
    moments = [(dataset.created, dataset.id) for dataset in datasets[:1]]
    moments += [(run.created, run.dataset_id) for run in runs if run.dataset_id in there][:1]
    return max(moments)[1] if moments else None


def remembered() -> Choice:
    """What was current when a page of this tab was drawn last."""
    found: Choice = st.session_state.get(_KEY, Choice())
    return found


def address_of(choice: Choice, page: Page, *, opened: bool = False) -> dict[str, str]:
    """The parameters with which a page shows a choice.

    Args:
        choice: that the page is to show.
        page: the page.
        opened: whether its address names a run that is opened there.
    """
    _, name = names_of_choice(page)
    values = {DATASET: choice.dataset, name: None if opened and name == MODEL else choice.run}
    return {name: value for name, value in values.items() if value is not None}


def names_of_choice(page: Page) -> tuple[str, str]:
    """The parameters of a page's address that name the current dataset and the current model."""
    return DATASET, RUN if page in _ASKS_A_MODEL else MODEL


def choose_dataset(dataset_id: str) -> None:
    """Make a dataset current; a page that has a run or a search opened leaves it."""
    st.session_state[_KEY] = Choice(dataset_id, remembered().run)
    st.query_params[DATASET] = dataset_id
    for name in (RUN, MODEL, SEARCH):
        st.query_params.pop(name, None)


def choose_model(run: RunRecord) -> None:
    """Make the model of a run current, and with it the images that it has learned from."""
    st.session_state[_KEY] = Choice(run.dataset_id, run.id)
    if RUN in st.query_params:
        st.query_params[RUN] = run.id
    else:
        st.query_params[MODEL] = run.id
    st.query_params[DATASET] = run.dataset_id
