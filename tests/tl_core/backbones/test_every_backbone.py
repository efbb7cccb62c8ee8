"""Builds every backbone of the registry once, without weights, and holds its record and its outline against it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace

import keras
import pytest

from tl_core.backbones.build import build_backbone
from tl_core.backbones.make_outlines import outline_of
from tl_core.backbones.outline import OUTLINES, feature_shape
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import BACKBONES
from tl_core.config import TrainingConfig
from tl_core.imported_models.check import architecture
from tl_core.imported_models.check.architecture import LIMITS, read_architecture
from tl_core.models.classifier import build_classifier

# Every day the smallest of each family; its larger ones have the same blocks.
SMALLEST = {
    min((b for b in BACKBONES.values() if b.family == family), key=lambda b: b.base_parameters).name
    for family in {backbone.family for backbone in BACKBONES.values()}
}
SIZE = 77  # odd, so that rounding shows, and enough for all of them


@pytest.fixture(scope="module")
def without_chance() -> Iterator[None]:
    """Weights are zeros, because nothing here looks at them: drawing two thousand million takes half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for initializer in (keras.initializers.VarianceScaling, keras.initializers.RandomNormal):
            patch.setattr(initializer, "__call__", lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype))
        yield


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(backbone, id=name, marks=[] if name in SMALLEST else pytest.mark.slow)
        for name, backbone in BACKBONES.items()
    ],
)
def built(request: pytest.FixtureRequest, without_chance: None) -> Iterator[tuple[Backbone, keras.Model]]:
    """A backbone on small images; the tests that follow share it, so each is built once."""
    backbone: Backbone = request.param
    yield backbone, build_backbone(backbone.name, SIZE, "random")
    gc.collect()  # the largest have 350 million parameters


def test_it_is_what_the_registry_says(built: tuple[Backbone, keras.Model]):
    backbone, base = built
    assert base.input_shape == (None, SIZE, SIZE, 3)
    assert base.output_shape == (None, *feature_shape(backbone, SIZE))
    assert base.output_shape[-1] == backbone.features
    assert base.count_params() == backbone.base_parameters


def test_its_outline_is_up_to_date(built: tuple[Backbone, keras.Model]):
    backbone, base = built
    kept = json.loads((OUTLINES / f"{backbone.name}.json").read_text())
    expected = {**kept, "feature_shape": list(feature_shape(backbone, SIZE))}
    assert outline_of(backbone.name, base) == expected, "run python -m tl_core.backbones.make_outlines"


def test_a_model_on_it_may_be_taken_to_another_machine(
    built: tuple[Backbone, keras.Model], monkeypatch: pytest.MonkeyPatch
):
    backbone, base = built
    config = TrainingConfig(backbone=backbone.name, weights="random", image_size=SIZE)
    model = build_classifier(config, 3, base).model
    text = json.dumps(keras.saving.serialize_keras_object(model)).encode()
    monkeypatch.setattr(architecture, "LIMITS", replace(LIMITS, parameters=1_000_000_000))
    found = read_architecture(text)
    assert (found.image_size, found.outputs) == (SIZE, 3)
    assert found.parameters == pytest.approx(model.count_params(), rel=0.02)
    assert 3 * len(text) < LIMITS.config_bytes


def test_there_is_no_outline_of_something_else():
    assert {path.stem for path in OUTLINES.glob("*.json")} == BACKBONES.keys()
