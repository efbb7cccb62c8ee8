import json
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tl_core.figures.contrast import contrast
from tl_core.figures.confusion import (
    MAX_LABEL,
    OPACITY,
    confusion_figure,
    describe_confusion,
    mix_up_colors,
    mix_ups,
)
from tl_core.figures.layout import short_names
from tl_core.figures.palette import MIX_UPS, RIGHT, WRONG

THEME = tomllib.loads((Path(__file__).parents[3] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
CLASSES = ("cat", "dog", "owl")
MATRIX = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])


def parts(figure):
    heatmap, *numbers, _ = figure.data
    return heatmap, numbers[0] if numbers else None


def targets(figure):
    return figure.data[-1]


def random_matrix(classes, images, seed=0):
    places = np.random.default_rng(seed).integers(0, classes, (images, 2))
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (places[:, 0], places[:, 1]), 1)
    return matrix


def test_right_answers_are_positive_and_mix_ups_negative_shares_of_their_row():
    heatmap, _ = parts(confusion_figure(MATRIX, CLASSES))
    assert [list(row) for row in heatmap.z] == [[0.8, -0.2, None], [-0.1, 0.9, None], [None, None, None]]
    assert heatmap.colorscale[0][1] == WRONG
    assert heatmap.colorscale[-1][1].startswith("rgba(77, 146, 33")


@pytest.mark.parametrize(("numbers", "texts"), [("count", ["8", "2", "1", "9"]), ("share", ["80", "20", "10", "90"])])
def test_the_cells_show_images_or_percent_of_the_row(numbers, texts):
    _, cells = parts(confusion_figure(MATRIX, CLASSES, numbers))
    assert list(cells.text) == texts


def test_a_share_below_half_a_percent_is_not_shown_as_nothing():
    _, cells = parts(confusion_figure(np.array([[999, 1], [0, 5]]), ("a", "b"), "share"))
    assert list(cells.text) == ["100", "<1", "100"]


def test_hover_tells_both_classes_the_images_and_the_share():
    figure = confusion_figure(MATRIX, ("<script>", "dog", "owl"))
    told = dict(zip(map(tuple, targets(figure).customdata), targets(figure).hovertext, strict=True))
    assert told[0, 1] == "<b>&lt;script&gt;</b>: 2 of 10 taken for <b>dog</b> (20.0%)"
    assert told[1, 1] == "<b>dog</b>: 9 of 10 recognised (90.0%)"
    assert told[1, 2] == "<b>dog</b>: none taken for <b>owl</b>"
    assert told[2, 2] == "<b>owl</b>: none recognised"
    assert figure.data[0].x[0] == "&lt;script&gt;"


def test_what_is_clicked_lies_on_its_cell():
    few, many = targets(confusion_figure(MATRIX, CLASSES)), random_matrix(30, 50)
    assert len(few.customdata) == 9
    for (row, column), x, y in zip(few.customdata, few.x, few.y, strict=True):
        assert (x, y) == (CLASSES[column], CLASSES[row])
    names = [str(number) for number in range(30)]
    cells = {tuple(cell) for cell in targets(confusion_figure(many, names)).customdata}
    assert cells == set(zip(*(places.tolist() for places in np.nonzero(many)), strict=True))


@pytest.mark.parametrize("classes", [2, 15, 16, 100])
def test_any_number_of_classes_makes_a_figure_small_enough_to_send(classes):
    names = [f"a rather long name of class {number}" for number in range(classes)]
    figure = confusion_figure(random_matrix(classes, 20 * classes), names)
    heatmap, cells = parts(figure)
    assert isinstance(figure, go.Figure)
    assert len(set(heatmap.x)) == len(heatmap.z) == classes
    assert (cells is not None) == (classes <= 15)
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 1_000_000
    assert 300 < figure.layout.height < 900


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("opacity", OPACITY)
def test_numbers_are_readable_on_every_right_cell_in_both_themes(mode, opacity):
    background = THEME[mode]["backgroundColor"]
    assert contrast(THEME[mode]["textColor"], blended(RIGHT, background, opacity)) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("share", [0.001, 0.09, 0.1, 0.3, 0.5, 1.0])
def test_mix_ups_are_the_most_visible_cells_in_both_themes(mode, share):
    page = THEME[mode]["backgroundColor"]
    color, number = mix_up_colors(share)
    assert contrast(color, page) >= 3
    assert contrast(color, page) > contrast(blended(RIGHT, page, OPACITY[1]), page)
    assert contrast(number, color) >= 4.5


def test_a_mix_up_is_drawn_in_the_colour_of_its_share():
    heatmap, cells = parts(confusion_figure(np.array([[6, 4], [1, 99]]), ("a", "b")))
    scale = [(place, color) for place, color in heatmap.colorscale]
    for share in (0.4, 0.01):
        place = (1 - share) / 2
        drawn = [step for step in scale if step[0] <= place][-1]
        assert drawn[1] == mix_up_colors(share)[0]
    assert list(cells.textfont.color)[1:3] == [MIX_UPS[2][1], MIX_UPS[0][1]]


def blended(color, background, opacity):
    channels = [[int(value[place : place + 2], 16) for place in (1, 3, 5)] for value in (color, background)]
    mixed = [round(opacity * over + (1 - opacity) * under) for over, under in zip(*channels, strict=True)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def test_mix_ups_are_sorted_by_images_then_by_share():
    matrix = np.array([[10, 3, 0], [3, 2, 0], [0, 1, 9]])
    found = [(mixed.true, mixed.predicted, mixed.count, mixed.images) for mixed in mix_ups(matrix, CLASSES)]
    assert found == [("dog", "cat", 3, 5), ("cat", "dog", 3, 13), ("owl", "dog", 1, 10)]
    assert len(mix_ups(matrix, CLASSES, limit=1)) == 1
    assert mix_ups(np.eye(3, dtype=int), CLASSES) == []


def test_the_matrix_as_text():
    assert describe_confusion(MATRIX, CLASSES) == (
        "Confusion matrix of 3 classes: 17 of 20 images lie on the diagonal, right. "
        "The most frequent mix-up: 2 of 10 images of cat were taken for dog."
    )
    assert describe_confusion(np.eye(3, dtype=int), CLASSES).endswith("No class was mixed up with another.")


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["golden retriever", "old english sheepdog"], ["golden retrie…", "old english s…"]),
        (["class number one", "class number two"], ["…ss number one", "…ss number two"]),
        (["one start, same ending", "two start, same ending"], ["one start, sa…", "two start, sa…"]),
        (
            ["the same start 1 and same end", "the same start 2 and same end"],
            ["1: the same star…", "2: the same star…"],
        ),
    ],
)
def test_long_names_are_shortened_where_they_do_not_differ(names, labels):
    assert short_names(names, MAX_LABEL) == labels


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=2, max_size=40, unique=True))
def test_labels_are_different_and_short(names):
    labels = short_names(names, MAX_LABEL)
    assert len(set(labels)) == len(names)
    assert max(map(len, labels)) <= MAX_LABEL + 4
