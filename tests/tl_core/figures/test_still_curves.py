"""The curves as a picture without a program behind it."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

from tests.tl_core.figures.run_events import epoch, phase, two_phase_run
from tl_core.figures.history import History
from tl_core.figures.still_curves import HEIGHT, MAX_POINTS, WIDTH, still_curves

SVG = "{http://www.w3.org/2000/svg}"


def drawn(events):
    return ElementTree.fromstring(still_curves(History().add(events)))


def points(line):
    return [tuple(float(number) for number in point.split(",")) for point in line.get("points").split()]


def test_four_curves_and_the_kept_epoch_lie_inside_the_picture():
    picture = drawn(two_phase_run())
    lines = picture.findall(f"{SVG}polyline")
    assert [line.get("stroke-dasharray") for line in lines] == ["6 4", "none"] * 2
    assert all(len(points(line)) == 7 for line in lines)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for line in lines for x, y in points(line))
    validation_accuracy, kept = points(lines[1]), picture.findall(f"{SVG}circle")
    assert (float(kept[0].get("cx")), float(kept[0].get("cy"))) == validation_accuracy[6], "epoch 7 is the best"
    heights = [y for _, y in validation_accuracy]
    assert heights == sorted(heights, reverse=True), "a growing accuracy rises"


def test_what_is_not_finite_is_left_out():
    picture = drawn([phase("head", 1, 3), epoch(1), epoch(2, val_loss=math.inf, loss=None), epoch(3)])
    assert [len(points(line)) for line in picture.findall(f"{SVG}polyline")] == [3, 3, 2, 2]


def test_one_flat_epoch_and_none_at_all_are_pictures_too():
    assert len(drawn([phase("head", 1, 1), epoch(1)]).findall(f"{SVG}polyline")) == 4
    assert drawn([]).findall(f"{SVG}polyline") == []


def test_a_long_run_stays_small():
    text = still_curves(History().add([phase("head", 1, 5000), *(epoch(number) for number in range(1, 5001))]))
    assert all(len(points(line)) <= MAX_POINTS for line in ElementTree.fromstring(text).findall(f"{SVG}polyline"))
    assert len(text) < 40_000
