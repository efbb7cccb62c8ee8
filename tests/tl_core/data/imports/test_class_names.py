from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_core.data.imports.class_names import (
    MAX_CLASS_NAME,
    clashing_names,
    clean_class_name,
    clean_file_name,
    clean_text,
    label_names,
)


@pytest.mark.parametrize(
    "name", ["γάτα", "ねこ", "🐈‍⬛ black", "<script>alert(1)</script>", "قطة", "100 % wool", "a/b", "Ж"]
)
def test_names_of_every_script_are_kept_as_they_are(name):
    assert clean_class_name(name) == name


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("  cats \n", "cats"),
        ("two\t\twords", "two words"),
        ("nul\0byte", "nul byte"),
        ("Cafe\u0301", "Café"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("a\\b", "a/b"),
        ("bad\udcffbyte", "bad?byte"),
        ("", "unnamed"),
        (" \n\u200b", "unnamed"),
        ("x" * 300, "x" * MAX_CLASS_NAME),
    ],
)
def test_names_are_made_safe_to_show_and_compare(name, label):
    assert clean_class_name(name) == label


def test_long_names_that_begin_alike_stay_different():
    names = ["x" * 70 + "cat", "x" * 70 + "dog", "x" * 64]
    labels = label_names(names)
    assert len(set(labels.values())) == 3
    assert all(len(label) <= MAX_CLASS_NAME for label in labels.values())


def test_long_names_that_begin_alike_are_told_apart_by_their_endings():
    garden = "Photographs of the plants in our school garden taken in the spring: "
    labels = label_names([garden + "roses", garden + "tulips", "x" * 70])
    assert labels[garden + "roses"].endswith("spring: roses")
    assert labels[garden + "tulips"].endswith("spring: tulips")
    assert all(label.startswith("Photographs of the plants") for name, label in labels.items() if name[0] == "P")
    assert labels["x" * 70] == "x" * MAX_CLASS_NAME


def test_two_spellings_of_a_name_share_a_label():
    assert set(label_names(["Café", "Cafe\u0301", " Café "]).values()) == {"Café"}


def test_names_that_differ_in_capitals_alone_are_found():
    assert clashing_names(["Cat", "dog", "cat", "Straße", "STRASSE"]) == [("Cat", "cat"), ("Straße", "STRASSE")]


def test_long_file_names_keep_their_beginning_and_end():
    name = clean_file_name("folder/" + "x" * 500 + "-17.jpg")
    assert len(name) <= 200
    assert name.startswith("folder/")
    assert name.endswith("-17.jpg")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=80), max_size=6))
def test_labels_are_short_stable_and_can_be_written(names):
    labels = label_names(names)
    assert set(labels) == set(names)
    for label in labels.values():
        assert 0 < len(label) <= MAX_CLASS_NAME
        assert clean_text(label) == label
        json.dumps(label, ensure_ascii=False).encode()
    assert labels == label_names(reversed(names))
