"""What is drawn in one way stands in one style sheet."""

from __future__ import annotations

from pathlib import Path

from tests.test_architecture import REPOSITORY


def test_the_slider_is_styled_in_one_place():
    styled = [
        path.name for path in sorted(Path(REPOSITORY, "ui").rglob("*.css")) if "slider-thumb" in path.read_text()
    ]
    assert styled == ["slider.css"]
