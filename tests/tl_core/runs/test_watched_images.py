"""Pictures that are watched while a model trains, in the run folder."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, QUICK, coloured, png
from tl_core.data import import_uploads, read_image, resize_image
from tl_core.data.normalise import Reading
from tl_core.errors import ConfigError, ImageError
from tl_core.runs import create_run
from tl_core.runs.watched_images import (
    DRAFT_SECONDS,
    LIST,
    MAX_DRAFTS,
    MAX_WATCHED,
    read_pictures,
    save_watched_draft,
    save_watched_images,
    watch_dataset_image,
    watch_upload,
    watched_draft,
    watched_images,
)
from tl_core.storage.workspace import Workspace, new_id


@pytest.fixture
def folder(workspace, dataset):
    return create_run(workspace, QUICK, dataset).folder


def test_pictures_come_back_in_their_order_with_names_and_truth(folder, dataset):
    record = dataset.of_split("test")[0]
    images = [watch_upload("../../Grüße.png", coloured((200, 0, 0), 1)), watch_dataset_image(dataset, record)]
    save_watched_images(folder, images)
    first, second = watched_images(folder)
    assert (first.name, first.truth) == ("../../Grüße.png", None)
    assert (second.name, second.truth) == (record.source_name, dataset.classes[record.label])
    assert {first.path.parent, second.path.parent} == {folder.watched_images_folder}


def test_the_network_sees_them_as_it_sees_every_image(folder, workspace, dataset):
    noise = np.random.default_rng(1).integers(0, 256, (8, 300, 300, 3))
    photos = import_uploads(
        workspace,
        {
            name: [(f"{place}.png", png(image)) for place, image in enumerate(noise[start::2])]
            for start, name in enumerate("ab")
        },
        "Photos",
    )
    pairs = [(images, images.images[0]) for images in (dataset, photos)]
    assert photos.images[0].file.endswith(".jpg"), "not to be encoded a second time"
    save_watched_images(folder, [watch_dataset_image(images, record) for images, record in pairs])
    seen = read_pictures(watched_images(folder), Reading(32))
    for pixels, (images, record) in zip(seen, pairs, strict=True):
        assert np.array_equal(pixels, resize_image(read_image(images.path_of(record)), 32))


def test_without_pictures_nothing_is_written(folder):
    save_watched_images(folder, [])
    assert not folder.watched_images_folder.exists()
    assert watched_images(folder) == ()


def test_too_many_or_unreadable_pictures_are_a_sentence(folder):
    image = watch_upload("red.png", coloured((200, 0, 0), 1))
    with pytest.raises(ConfigError, match="At most 8 pictures"):
        save_watched_images(folder, [image] * (MAX_WATCHED + 1))
    with pytest.raises(ImageError):
        watch_upload("text.png", b"text")


@pytest.mark.parametrize("text", ["no json", "[1]", '[{"name": "a"}]', "7", '[{"name": "a", "file": 3}]'])
def test_a_damaged_list_counts_as_none(folder, text):
    save_watched_images(folder, [watch_upload("red.png", coloured((200, 0, 0), 1))])
    (folder.watched_images_folder / LIST).write_text(text)
    assert watched_images(folder) == ()


def test_the_list_leads_to_no_file_elsewhere(folder):
    save_watched_images(folder, [watch_upload("red.png", coloured((200, 0, 0), 1))])
    (folder.watched_images_folder / LIST).write_text(json.dumps([{"name": "a", "file": "../run.json"}]))
    assert watched_images(folder)[0].path == folder.watched_images_folder / "run.json"


def test_a_draft_is_kept_and_replaced_and_old_ones_are_forgotten(tmp_path):
    workspace = Workspace(tmp_path)
    images = [watch_upload(f"{number}.png", coloured(COLOURS["red"], number)) for number in range(3)]
    drafts = [new_id("pinned") for _ in range(MAX_DRAFTS + 2)]
    for place, draft in enumerate(drafts):
        save_watched_draft(workspace, draft, images[:2])
        os.utime(workspace.drafts / draft, times=(time.time() - 1000 + place,) * 2)
    save_watched_draft(workspace, drafts[-1], images)
    assert watched_draft(workspace, drafts[-1]) == images
    assert watched_draft(workspace, drafts[0]) == []
    assert len(list(workspace.drafts.iterdir())) == MAX_DRAFTS
    os.utime(workspace.drafts / drafts[-2], times=(time.time() - DRAFT_SECONDS - 60,) * 2)
    save_watched_draft(workspace, drafts[-1], [])
    assert not (workspace.drafts / drafts[-2]).exists()
    assert not (workspace.drafts / drafts[-1]).exists()
