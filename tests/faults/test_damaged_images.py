"""A set of which 5 % of the files are damaged trains to the end."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.data import import_uploads

EACH = 20  # images per class; one of each is damaged: 5 %

Damage = Callable[[random.Random, bytes], bytes]

DAMAGES: tuple[Damage, ...] = (
    lambda chance, data: data[: chance.randrange(1, len(data) - 20)],
    lambda chance, data: chance.randbytes(len(data)),
    lambda chance, data: data[:40] + chance.randbytes(len(data) - 40),
    lambda chance, data: b"",
)


def require_trained_to_the_end(workspace, train_run, seed: int) -> None:
    chance = random.Random(seed)
    images = {
        name: [(f"{number}.png", coloured(colour, 10_000 * seed + 100 * place + number)) for number in range(EACH)]
        for place, (name, colour) in enumerate(COLOURS.items())
    }
    damaged = set()
    for name, files in images.items():
        unlucky = chance.randrange(EACH)
        file_name, data = files[unlucky]
        files[unlucky] = (file_name, chance.choice(DAMAGES)(chance, data))
        damaged.add((name, file_name))
    dataset = import_uploads(workspace, images, f"Damaged {seed}")
    assert len(dataset.skipped) == len(damaged), "all of the damage was done, and found"
    assert all(skipped.reason for skipped in dataset.skipped)
    assert len(dataset.images) == EACH * len(COLOURS) - len(damaged)
    run = train_run(dataset, epochs=3)
    assert run.record.status == "done"
    assert len(run.epochs) == 3
    assert run.record.has_model


def test_a_set_with_damaged_files_trains_to_the_end(workspace, train_run):
    require_trained_to_the_end(workspace, train_run, 1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_sets_with_damaged_files_train_to_the_end(workspace, train_run):
    for seed in range(2, 12):
        require_trained_to_the_end(workspace, train_run, seed)
