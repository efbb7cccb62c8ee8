"""The small charts of the watched images, as plain values."""

from __future__ import annotations

from pathlib import Path

from tests.tl_core.figures.run_events import phase
from tl_core.figures.history import History
from tl_core.figures.watched_images import MAX_LINES, MAX_POINTS, class_style, watched_images_payload
from tl_core.runs.watched_images import WatchedImage

CAT = WatchedImage("a.png", Path("0.png"), "cat")
UNKNOWN = WatchedImage("b.png", Path("1.png"), None)


def pinned(epoch, *rows):
    return {"kind": "pinned", "epoch": epoch, "probabilities": [list(row) for row in rows]}


def payload(events, pictures=(CAT, UNKNOWN), classes=("cat", "dog")):
    return watched_images_payload(pictures, classes, History().add(events), ["data:"] * len(pictures))


def test_each_picture_has_its_lines_and_the_answer_of_the_last_epoch():
    shown = payload([phase("head", 1, 9), pinned(1, (0.4, 0.6), (1, 0)), pinned(2, (0.8, 0.2), (0.5, 0.5))])
    assert (shown["epochs"], shown["last"]) == ([1, 2], 9)
    first, second = shown["pictures"]
    assert [line["values"] for line in first["lines"]] == [[0.4, 0.8], [0.6, 0.2]]
    assert [line["values"] for line in second["lines"]] == [[1, 0.5], [0, 0.5]]
    assert first["answers"][0] == {"name": "cat", "text": "80.0 %", **class_style(0)}
    assert (first["right"], second["right"]) == (True, None)
    assert first["description"] == "Probabilities over 2 epochs, the last: cat 80.0 %, dog 20.0 %. It is cat."


def test_before_the_first_epoch_there_is_no_answer():
    first = payload([phase("head", 1, 9)])["pictures"][0]
    assert (first["lines"], first["answers"], first["right"]) == ([], [], None)
    assert first["description"] == "No answer yet. It is cat."


def test_a_resumed_run_replaces_what_it_does_again():
    events = [pinned(epoch, (0.1 * epoch, 1 - 0.1 * epoch)) for epoch in (1, 2, 3, 2)]
    shown = payload(events, (CAT,))
    assert shown["epochs"] == [1, 2]
    assert len(shown["pictures"][0]["lines"][0]["values"]) == 2


def test_of_many_classes_those_that_were_ever_likely_are_drawn_in_colours_that_stay():
    classes = [f"class {index}" for index in range(20)]
    early = [0.9 if index == 13 else 0.1 / 19 for index in range(20)]
    late = [0.7 if index == 2 else 0.3 / 19 for index in range(20)]
    before = payload([pinned(1, early)], (UNKNOWN,), classes)["pictures"][0]
    after = payload([pinned(1, early), pinned(2, late)], (UNKNOWN,), classes)["pictures"][0]
    assert len(after["lines"]) == MAX_LINES
    colors = [{line["name"]: line["color"] for line in picture["lines"]} for picture in (before, after)]
    assert colors[0]["class 13"] == colors[1]["class 13"] == class_style(13)["color"]
    assert class_style(13) != class_style(5), "a colour that comes again is dashed"
    assert after["answers"][0]["name"] == "class 2"


def test_long_runs_are_thinned_and_keep_their_last_epoch():
    shown = payload([pinned(epoch, (0.5, 0.5)) for epoch in range(1, 1001)], (CAT,))
    assert len(shown["epochs"]) <= MAX_POINTS
    assert shown["epochs"][-1] == 1000


def test_a_probability_that_is_no_number_leaves_a_gap():
    shown = payload([pinned(1, (None, None)), pinned(2, (0.7, 0.3))], (CAT,))
    assert shown["pictures"][0]["lines"][0]["values"] == [None, 0.7]
