from tl_core.figures.class_counts import MAX_HEIGHT, class_counts_figure, describe_class_counts
from tl_core.figures.palette import SPLIT_COLORS

COUNTS = {"cat": {"train": 70, "validation": 15, "test": 15}, "dog": {"train": 7, "validation": 2, "test": 0}}


def test_one_bar_per_split_in_its_colour():
    figure = class_counts_figure(COUNTS)
    assert [bar.name for bar in figure.data] == ["Training", "Validation", "Test"]
    assert [bar.marker.color for bar in figure.data] == list(SPLIT_COLORS.values())
    assert list(figure.data[0].x) == [70, 7]


def test_a_split_without_images_is_left_out():
    figure = class_counts_figure({"cat": {"train": 3, "validation": 1, "test": 0}})
    assert [bar.name for bar in figure.data] == ["Training", "Validation"]


def test_names_are_shown_as_they_are_and_long_ones_shortened():
    figure = class_counts_figure({"<b>x</b>": {"train": 1}, "a" * 60: {"train": 2}})
    first, second = figure.layout.yaxis.ticktext
    assert first == "&lt;b&gt;x&lt;/b&gt;"
    assert second == "a" * 23 + "…"


def test_two_classes_with_the_same_beginning_keep_a_bar_each():
    figure = class_counts_figure({"a" * 60: {"train": 1}, "a" * 61: {"train": 2}})
    assert list(figure.data[0].y) == [0, 1]


def test_many_classes_do_not_make_an_endless_chart():
    figure = class_counts_figure({f"class {number}": {"train": 5} for number in range(500)})
    assert figure.layout.height == MAX_HEIGHT


def test_the_description_names_the_largest_and_the_smallest():
    assert describe_class_counts(COUNTS) == (
        "Images per class and part of the split, for 2 classes: from 9 (dog) to 100 (cat)."
    )
