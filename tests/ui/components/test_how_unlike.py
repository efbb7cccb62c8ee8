"""Why a picture is refused as unlike anything a model was taught, in words for whoever knows nothing of distances."""

from __future__ import annotations

import pytest

from tl_core.inference.predict import Answer, Nearest
from ui.components.prediction.card import best_guess


@pytest.mark.parametrize(
    ("novelty", "how"), [(1.01, "a little different from"), (1.6, "different from"), (25.0, "very different from")]
)
def test_an_unlike_picture_is_told_in_plain_words(novelty, how):
    answer = Answer(
        (("brick", 0.9), ("grass", 0.1)), 0.01, novelty=novelty, nearest=Nearest("gravel", "images/1.png")
    )
    assert best_guess(answer) == (
        f"This picture looks {how} every picture that the model has learned from. The most similar one is in the "
        "class **gravel**. If it had to choose, it would say **brick**."
    )
