"""Backbones that a search may download: where that was allowed, beside the trials; it goes on without them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.jobs.waiting import wait_until
from tests.tl_core.weights_server import CONTENT, weights_server
from tl_core.backbones import registry
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import keras_cache, weights_status
from tl_core.errors import WeightsUnavailableError
from tl_core.runs import EventLog, read_events
from tl_core.search import searching as searching_module
from tl_core.search.heads import Features
from tl_core.search.history import read_history
from tl_core.search.record import create_search, load_search
from tl_core.search.searching import StopRequest
from tl_core.search.sources.downloads import Downloads, to_download, usable_sources
from tl_core.search.space import _OPERATIONS, DOWNLOADS, OTHERS, SOURCES
from tl_core.storage.workspace import Workspace

SOURCE = OTHERS[0]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """So that no test sees weights of this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def own(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace").ensure()


@pytest.fixture
def gate():
    """Closed until it is set: before, the server does not answer."""
    return threading.Event()


@pytest.fixture
def address(monkeypatch, gate):
    """``address("weights.h5")``: from then on the weights of `SOURCE` are to be had there."""
    with weights_server(gate) as server:

        def change(path: str) -> None:
            digest = hashlib.md5(CONTENT).hexdigest()
            changed = replace(get_backbone(SOURCE.backbone), weights_url=f"{server}/{path}", weights_hash=digest)
            monkeypatch.setattr(registry, "BACKBONES", {**registry.BACKBONES, changed.name: changed})

        yield change
        gate.set()


def test_only_what_is_here_is_searched_unless_downloads_are_allowed(own):
    assert list(usable_sources(own, downloads=False)) == list(SOURCES)
    allowed = list(usable_sources(own, downloads=True))
    assert [source.backbone for source in allowed[len(SOURCES) :]] == list(DOWNLOADS)
    assert [backbone.name for backbone in to_download(own)] == list(DOWNLOADS)


def test_weights_that_a_person_has_brought_are_searched_and_not_downloaded(own):
    for name in ("resnet50", DOWNLOADS[0]):
        (own.weights / get_backbone(name).weights_file).touch()
    found = [source.backbone for source in usable_sources(own, downloads=False)][len(SOURCES) :]
    assert found == [DOWNLOADS[0], "resnet50"]
    assert DOWNLOADS[0] not in [backbone.name for backbone in to_download(own)]


def test_the_cost_of_every_backbone_of_the_registry_is_known():
    assert _OPERATIONS.keys() == registry.BACKBONES.keys()
    assert len({source.name for source in (*SOURCES, *OTHERS)}) == len(SOURCES) + len(OTHERS)


def test_a_download_goes_on_beside_other_work_and_tells_how_far_it_is(own, address, gate):
    address("weights.h5")
    downloads = Downloads(own)
    downloads.begin([*SOURCES, SOURCE])
    assert downloads.at_work(SOURCE)
    assert not downloads.at_work(SOURCES[0])
    with pytest.raises(WeightsUnavailableError, match="had not arrived"):
        downloads.require(SOURCE)
    gate.set()
    wait_until(lambda: not downloads.at_work(SOURCE))
    downloads.require(SOURCE)
    downloads.require(SOURCES[0])
    assert (keras_cache() / get_backbone(SOURCE.backbone).weights_file).read_bytes() == CONTENT
    downloads.close()


def test_a_search_that_ends_gives_up_what_is_on_its_way(own, address, gate):
    address("weights.h5")
    downloads = Downloads(own)
    downloads.begin([SOURCE])
    downloads.close()
    gate.set()
    wait_until(lambda: not downloads.at_work(SOURCE))
    assert not weights_status(get_backbone(SOURCE.backbone), own).here


@pytest.fixture
def at_work(workspace, dataset, monkeypatch):
    """A search that has looked at all images with two backbones; only the weights of the second are not here."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = (random.normal(0, 1, (3, 64))[labels] + random.normal(0, 1, (60, 64))).astype(np.float32)
    features = Features(views[None], labels.astype(np.int64), np.arange(60) >= 40, 3, (8, 8, 8, 8))
    search = create_search(workspace, dataset, 1, downloads=True)
    with EventLog(search.events_file) as events:
        found = searching_module._Searching(search, events, StopRequest(), lambda _: None)
        found._dataset = dataset
        found._features = {source.name: features for source in (SOURCES[0], SOURCE)}
        found._among = [SOURCES[0]]
        yield found
        found._downloads.close()


def test_heads_are_tried_until_a_backbone_has_come_and_then_on_it(at_work, address, gate):
    address("weights.h5")
    loop = at_work._begin_loop()
    loop.done = lambda _: gate.set() if len(loop.trials) == 3 else None
    loop.try_first(loop.quick_start)
    at_work._downloads.begin([SOURCE])
    wider = at_work._try_source(SOURCE, loop)
    tried = [trial.params["source"] for trial in wider.trials]
    assert tried[:3] == [SOURCES[0].name] * 3, "while it was on its way"
    assert tried[-1] == SOURCE.name
    assert len(wider.study.trials) >= len(tried), "Optuna was told of those before"


def test_a_search_goes_on_without_a_backbone_that_cannot_be_downloaded(at_work, address, gate):
    address("nowhere.h5")
    gate.set()
    loop = at_work._begin_loop()
    loop.try_first(loop.quick_start)
    at_work._downloads.begin([SOURCE])
    assert at_work._try_source(SOURCE, loop) is loop
    at_work._try_source(SOURCES[0], loop)
    assert loop.complete
    history = read_history(load_search(at_work._search.path))
    assert "could not be downloaded because the server answered 404" in history.left_out[SOURCE.title]
    assert read_events(at_work._search.events_file)[-1]["kind"] != "left_out"
