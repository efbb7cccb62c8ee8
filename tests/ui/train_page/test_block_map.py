"""What the block map shows, in numbers and as text."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ui.train_page.block_map import describe_map, draw_map


@dataclass(frozen=True)
class Block:
    title: str
    first: int
    end: int
    parameters: int


BLOCKS = (Block("stem", 0, 4, 900), Block("block 1", 4, 14, 10_000), Block("block 2", 14, 20, 1_000_000))


def test_the_largest_block_is_tallest_and_the_smallest_still_visible():
    heights = [block["height"] for block in draw_map(BLOCKS)]
    assert heights[2] == 1
    assert heights == sorted(heights)
    assert heights[0] > 0.15


def test_blocks_without_parameters_can_be_drawn():
    assert draw_map((Block("stem", 0, 1, 0),))[0]["text"] == "1 layer, no parameters"


@pytest.mark.parametrize(
    ("frozen_layers", "sentence"),
    [
        (20, "All blocks, stem to block 2, are frozen; only the head learns."),
        (0, "No block is frozen: stem to block 2 and the head all learn."),
        (4, "Frozen: stem; trainable: block 1 to block 2 and the head."),
        (9, "Frozen: stem; partly frozen: block 1; trainable: block 2 and the head."),
        (2, "Partly frozen: stem; trainable: block 1 to block 2 and the head."),
        (17, "Frozen: stem to block 1; partly frozen: block 2; trainable: the rest and the head."),
    ],
)
def test_the_map_as_text(frozen_layers, sentence):
    assert describe_map(BLOCKS, frozen_layers) == sentence


def test_more_layers_than_there_are_freeze_everything():
    assert describe_map(BLOCKS, 500) == describe_map(BLOCKS, 20)


def test_every_block_has_a_description():
    assert [block["text"] for block in draw_map(BLOCKS)] == [
        "4 layers, 900 parameters",
        "10 layers, 10.0 k parameters",
        "6 layers, 1.0 M parameters",
    ]
