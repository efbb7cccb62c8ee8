import pytest

from tl_core.figures.palette import ANSWER, RIGHT
from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text

TOP = [("cat", 0.7), ("dog", 0.25), ("owl", 0.05)]


def test_each_class_has_a_bar_as_long_as_it_is_probable():
    track, bars = probability_figure(TOP).data
    assert list(track.x) == [1, 1, 1]
    assert list(bars.x) == [0.7, 0.25, 0.05]
    assert list(bars.y) == [0, 1, 2]
    assert bars.marker.color[0] == ANSWER


def test_the_true_class_is_green_wherever_it_stands():
    _, bars = probability_figure(TOP, right="dog").data
    assert [color == RIGHT for color in bars.marker.color] == [False, True, False]


def test_every_bar_has_its_name_and_its_number_in_the_given_ink():
    figure = probability_figure([("<script>" + "x" * 60, 1.0)], ink="#123456")
    name, number = figure.layout.annotations
    assert name.text.startswith("<b>&lt;script&gt;xxx")
    assert name.text.endswith("…</b>")
    assert number.text == "<b>100.0 %</b>"
    assert name.font.color == number.font.color == "#123456"


def test_height_grows_with_the_bars():
    assert probability_figure(TOP).layout.height > probability_figure(TOP[:1]).layout.height


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.5, "50.0 %"), (0.0004, "< 0.1 %"), (0.99996, "> 99.9 %"), (0.9994, "99.9 %")],
)
def test_no_probability_is_rounded_to_certainty(value, text):
    assert probability_text(value) == text


def test_the_bars_as_text():
    assert describe_probabilities(TOP) == "Probabilities: cat 70.0 %, dog 25.0 %, owl 5.0 %."
