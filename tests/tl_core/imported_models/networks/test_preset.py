"""The static check of a preset, and what it says of its preprocessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tl_core.imported_models.networks.presets import save_preset, vit, vit_converter
from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.preset import backbone_of, check_preset, preprocessing_of


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "vit"
    save_preset(folder, vit(), vit_converter())
    return folder


@pytest.fixture
def preset(written, tmp_path):
    """A copy to spoil."""
    folder = tmp_path / "vit"
    folder.mkdir()
    for path in written.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def change(path: Path, **values: Any) -> None:
    config = json.loads(path.read_text())
    for key, value in values.items():
        (config if key in config else config["config"])[key] = value
    path.write_text(json.dumps(config))


def test_a_preset_says_what_it_is_and_how_it_takes_its_images(written):
    assert check_preset(written) == (written / "model.weights.h5").stat().st_size
    assert backbone_of(written) == "ViTBackbone"
    found = preprocessing_of(written)
    assert found is not None
    assert found.image_size == 32
    assert found.scale == pytest.approx((1 / 127.5, 1 / 128, 1 / 129))
    assert found.offset == (-1, -1.1, -0.9)


def test_a_preset_of_2024_says_mean_and_variance(preset):
    change(preset / "image_converter.json", scale=1 / 255, mean=[0.5, 0.5, 0.5], variance=[0.25, 0.25, 0.25])
    found = preprocessing_of(preset)
    assert found is not None
    assert found.scale == pytest.approx([2 / 255] * 3)
    assert found.offset == pytest.approx([-1] * 3)


def test_a_preset_without_preprocessing_says_nothing(preset):
    (preset / "image_converter.json").unlink()
    assert preprocessing_of(preset) is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "config.json").write_text("{"), "config.json of the preset is damaged"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "config.json of the preset is damaged"),
        (lambda folder: change(folder / "config.json", class_name="BertBackbone"), "“BertBackbone”, which is none"),
        (lambda folder: change(folder / "config.json", registered_name="mine>Evil"), "none of the image networks"),
        (lambda folder: change(folder / "config.json", module="os.path"), "none of the image networks"),
        (
            lambda folder: change(folder / "config.json", dtype={"class_name": "Lambda", "config": {}}),
            "“Lambda”, which is none",
        ),
        (lambda folder: change(folder / "config.json", num_layers=10**9), "asks for “num_layers” of 1e\\+09"),
        (lambda folder: change(folder / "config.json", patch_size="__import__('os')"), "for “patch_size”"),
        (lambda folder: change(folder / "config.json", data_format="channels_first"), "“channels_first”"),
        (lambda folder: change(folder / "image_converter.json", scale="much"), "image_converter.json of the preset"),
        (lambda folder: change(folder / "image_converter.json", scale=[1, 2]), "image_converter.json of the preset"),
        (lambda folder: (folder / "model.weights.h5").unlink(), "There is no model.weights.h5"),
        (lambda folder: (folder / "model.weights.json").write_text("{}"), "weights in several files"),
        (
            lambda folder: (folder / "model.weights.h5").write_bytes(b"no"),
            "model.weights.h5 of the preset is damaged",
        ),
    ],
)
def test_what_is_no_preset_of_an_image_network_is_a_sentence(preset, spoil, words):
    spoil(preset)
    with pytest.raises(ModelFileError, match=words):
        check_preset(preset)


def test_a_link_in_place_of_a_file_is_refused(preset, tmp_path):
    (preset / "model.weights.h5").rename(tmp_path / "elsewhere")
    (preset / "model.weights.h5").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="a link in place of a file"):
        check_preset(preset)
