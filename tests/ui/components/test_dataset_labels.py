"""Two datasets of one name stay apart wherever one is chosen, driven without a browser."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page, pictures
from tl_core.data import import_uploads
from ui.components.pickers import dataset_labels


@pytest.fixture
def twins(workspace):
    return [import_uploads(workspace, pictures(each=6), "Pets") for _ in range(2)]


def test_the_newer_one_gets_a_number_and_keeps_it(workspace, twins):
    labels = dataset_labels(reversed(twins))
    assert [labels[dataset.id] for dataset in twins] == ["Pets", "Pets (2)"]
    third = import_uploads(workspace, pictures(each=6), "Pets")
    assert dataset_labels([third, *twins]).items() >= labels.items()


@pytest.mark.parametrize("page", ["pages/1_Data.py", "pages/2_Train.py"])
def test_the_one_of_the_link_stays_chosen(twins, page):
    for dataset in twins:
        at = open_page(page, dataset=dataset.id)
        checked(at.run())
        assert at.selectbox(key="frame-dataset").value == dataset.id
