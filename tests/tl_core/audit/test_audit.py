"""What an audit finds in images whose faults are known."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance
from skimage import data as photographs

from tl_core.audit.features import FeatureSource, fit_of
from tl_core.audit.label_court import judge_labels
from tl_core.audit.look_alikes import find_look_alikes
from tl_core.audit.report import audit_dataset
from tl_core.audit.shortcuts import find_shortcuts
from tl_core.command_line import main
from tl_core.data import import_folder, import_sample, import_uploads
from tl_core.data.dataset import Dataset, ImageRecord, fingerprint_of
from tl_core.data.editing import divide_again
from tl_core.errors import StoppedError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.workspace import Workspace

SWAPPED = 0.1  # of the labels of every split
FOUND = 0.8  # of those, among as many suspects


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("audit") / "workspace").ensure()


def part_of(dataset: Dataset, count: int) -> Dataset:
    """As if only every so many images had been imported."""
    images = dataset.images[:: max(1, len(dataset.images) // count)]
    return replace(dataset, images=images, fingerprint=fingerprint_of(dataset.classes, images))


def with_wrong_labels(dataset: Dataset, seed: int = 3) -> tuple[Dataset, set[int]]:
    rng = np.random.default_rng(seed)
    images = list(dataset.images)
    wrong = {int(row) for row in rng.choice(len(images), round(SWAPPED * len(images)), replace=False)}
    for row in wrong:
        shift = int(rng.integers(1, len(dataset.classes)))
        images[row] = replace(images[row], label=(images[row].label + shift) % len(dataset.classes))
    return replace(dataset, images=tuple(images)), wrong


@pytest.mark.parametrize(
    ("sample", "count"),
    [
        ("surfaces", 320),
        pytest.param("digits", 850, marks=pytest.mark.slow),
        pytest.param("digits", 1797, marks=pytest.mark.long),
    ],
)
def test_most_of_the_first_suspects_have_a_wrong_label(workspace, sample, count):
    dataset = part_of(import_sample(workspace, sample), count)
    changed, wrong = with_wrong_labels(dataset)
    assert {changed.images[row].split for row in wrong} == {"train", "validation", "test"}
    verdict = judge_labels(changed, FeatureSource(changed, UNATTENDED).read())
    row_of = {record.file: row for row, record in enumerate(changed.images)}
    first = [row_of[suspect.record.file] for suspect in verdict.suspects[: len(wrong)]]
    assert len(set(first) & wrong) >= FOUND * len(wrong)
    scores = [suspect.score for suspect in verdict.suspects]
    assert scores == sorted(scores, reverse=True)
    right = [s for s in verdict.suspects if row_of[s.record.file] in wrong]
    truth = [dataset.classes[dataset.images[row_of[s.record.file]].label] for s in right]
    assert np.mean([s.suggested == name for s, name in zip(right, truth, strict=True)]) >= FOUND


PHOTOGRAPHS = {
    **{"astronaut": 0, "coffee": 1, "chelsea": 2, "rocket": 3, "camera": 4},
    **{"coins": 0, "moon": 1, "page": 2, "clock": 3, "text": 4},
}
"""Photographs, and how the copy of each is changed in the test below."""


def encoded(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, **({"format": "PNG"} | options))
    return file.getvalue()


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    found = {}
    for name in PHOTOGRAPHS:
        pixels = getattr(photographs, name)()
        image = Image.fromarray(pixels).convert("RGB").resize((300, 300))
        found[name] = image
    return found


@pytest.mark.slow
def test_turned_mirrored_and_cropped_copies_are_found_on_both_sides_of_the_split(workspace, photos, tmp_path):
    changes = [
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.crop((30, 30, 270, 270)),
        lambda image: image.crop((0, 60, 240, 300)),
        lambda image: image.resize((120, 120)),
    ]

    for place, (name, image) in enumerate(photos.items()):
        label = "left" if place % 2 else "right"
        for split, shown in (("train", image), ("valid", changes[PHOTOGRAPHS[name]](image))):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{split}-{name}.png").write_bytes(encoded(shown))
    found = audit_dataset(import_folder(workspace, tmp_path / "photos", "Twins"))
    shown = [{record.source_name.rpartition("-")[2] for record in (p.first, p.second)} for p in found.look_alikes]
    assert sorted(shown, key=sorted) == [{f"{name}.png"} for name in sorted(PHOTOGRAPHS)]
    apart = {
        p for p in found.look_alikes if "train" in (p.first.split, p.second.split)
    }  # some are drawn for the test
    assert apart
    assert set(found.leaks) == apart


def watermarked(image: Image.Image) -> Image.Image:
    marked = image.copy()
    ImageDraw.Draw(marked).text((20, 130), "watermark", fill=(255, 255, 255), font_size=48)
    return marked


def saved_at(quality: int, image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, format="JPEG", quality=quality)))


def scene_of(record: ImageRecord) -> str:
    """The photograph that it was made from."""
    return record.source_name.rpartition("/")[2].partition(".")[0].partition(" ")[0]


TWINS = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: image.crop((30, 30, 270, 270)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "quality 50": lambda image: saved_at(50, image),
    "half size": lambda image: image.resize((150, 150)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "watermark": watermarked,
}


@pytest.mark.slow
def test_twins_of_every_kind_are_found_and_kept_on_one_side_when_the_split_is_drawn_again(workspace, photos):
    """In a split that was drawn by hashes alone some are torn apart."""
    images: dict[str, list[tuple[str, bytes]]] = {"left": [], "right": []}
    kinds = list(TWINS)
    for place, (name, image) in enumerate(photos.items()):
        label = "left" if place % 2 else "right"
        images[label].append((f"{name}.png", encoded(image)))
        images[label] += [
            (f"{name} {kind}.png", encoded(TWINS[kind](image))) for kind in (kinds[place % 8], kinds[(place + 3) % 8])
        ]
    dataset = import_uploads(workspace, images, "Twins")
    source = FeatureSource(dataset, UNATTENDED)
    found = find_look_alikes(dataset, source.read(), source.images)
    assert all(scene_of(pair.first) == scene_of(pair.second) for pair in found)
    alone = set(dataset.images) - {record for pair in found for record in (pair.first, pair.second)}
    assert {record.source_name for record in alone} == set()
    pairs = [(pair.first, pair.second) for pair in found]
    sides: dict[str, set[str]] = {}
    for record in divide_again(workspace, dataset.id, alike=pairs).images:
        sides.setdefault(scene_of(record), set()).add(record.split)
    assert {name: len(parts) for name, parts in sides.items()} == dict.fromkeys(photos, 1)


def noise(seed: int, brightness: float = 0.0, border: tuple[int, int, int] | None = None) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (6, 6, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC), np.float32)
    pixels = np.clip(pixels - pixels.mean() + 120 + brightness + rng.normal(0, 8, pixels.shape), 0, 255)
    if border is not None:
        framed = np.ones((96, 96, 1), bool)
        framed[12:-12, 12:-12] = False
        pixels = np.where(framed, np.array(border, np.float32), pixels)
    return encoded(Image.fromarray(pixels.astype(np.uint8)))


def shortcuts_of(workspace, images) -> dict[str, float]:
    dataset = import_uploads(workspace, images, "Shortcut")
    source = FeatureSource(dataset, UNATTENDED)
    return {found.kind: found.accuracy for found in find_shortcuts(dataset, source)}


@pytest.mark.slow
def test_classes_that_brightness_or_a_border_tells_apart_are_told_and_others_are_not(workspace):
    dark = {n: [(f"{i}.png", noise(100 * p + i, 50 * p)) for i in range(30)] for p, n in enumerate("ab")}
    assert shortcuts_of(workspace, dark)["size_and_brightness"] >= 0.9
    frames = {"a": (200, 60, 60), "b": (60, 60, 200)}
    framed = {
        name: [(f"{i}.png", noise(400 * (p + 1) + i, border=colour)) for i in range(30)]
        for p, (name, colour) in enumerate(frames.items())
    }
    assert shortcuts_of(workspace, framed)["border"] >= 0.9
    alike = {name: [(f"{i}.png", noise(2000 * (p + 1) + i)) for i in range(30)] for p, name in enumerate("ab")}
    assert shortcuts_of(workspace, alike) == {}


@pytest.mark.slow
def test_the_command_line_prints_the_audit(workspace, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    frames = {"a": (200, 60, 60), "b": (60, 60, 200)}
    images = {
        name: [(f"{name}{i}.png", noise(300 * place + i, border=colour)) for i in range(20)]
        for place, (name, colour) in enumerate(frames.items())
    }
    images["a"][3] = ("wrong.png", noise(399, border=frames["b"]))
    dataset = import_uploads(workspace, images, "Shown")
    assert main(["audit", dataset.id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) == {"label_suspects", "look_alikes", "leaks", "shortcuts", "health", "photos"}
    assert {"text", "overall", "classes"} == set(found["photos"])
    assert [entry["class"] for entry in found["photos"]["classes"]] == ["a", "b"]
    suspect = found["label_suspects"][0]
    assert suspect["image"].endswith("wrong.png")
    assert (suspect["label"], suspect["suggested"]) == ("a", "b")
    assert {"kind", "accuracy", "chance"} == set(found["shortcuts"][0])
    assert main(["audit", dataset.id]) == 0
    assert "doubtful" in capsys.readouterr().out
    assert main(["audit", "nothing-" + "0" * 32]) == 2


def test_the_bar_is_full_only_when_nothing_is_left_to_look_for(workspace, monkeypatch):
    """It was full under “Checking each label …”, and then the shortcuts were looked for."""
    images = {n: [(f"{i}.png", noise(5000 * (p + 1) + i)) for i in range(8)] for p, n in enumerate("ab")}
    dataset = import_uploads(workspace, images, "Bars")

    def read(source, rows=None, _view="whole"):
        return np.random.default_rng(0).random((len(dataset.images) if rows is None else len(rows), 16), np.float32)

    monkeypatch.setattr(FeatureSource, "read", read)
    told = []
    audit_dataset(dataset, TaskContext(lambda at: told.append((at.text, at.fraction))))
    checking = [share for text, share in told if text.startswith("Checking each label")]
    looking = [share for text, share in told if text == "Looking for shortcuts"]
    assert checking[-1] == pytest.approx(0.6)
    assert 0.6 <= looking[0] < looking[-1] < 1


@pytest.mark.slow
def test_an_audit_can_be_stopped(workspace):
    images = {n: [(f"{i}.png", noise(5000 * (p + 1) + i)) for i in range(4)] for p, n in enumerate("ab")}
    dataset = import_uploads(workspace, images, "Stopped")
    with pytest.raises(StoppedError):
        audit_dataset(dataset, TaskContext(should_stop=lambda: True))


def drawn(shape: tuple[int, int], seed: int) -> bytes:
    """An ellipse that touches all sides of a picture of this width and height."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", shape, tuple(rng.integers(200, 256, 3).tolist()))
    ImageDraw.Draw(image).ellipse((0, 0, shape[0] - 1, shape[1] - 1), fill=tuple(rng.integers(0, 90, 3).tolist()))
    return encoded(image)


def test_a_circle_and_an_ellipse_are_told_apart_by_the_court_and_on_the_map(workspace):
    """Squeezed to squares they are the same picture."""
    shapes = {"circle": (200, 200), "ellipse": (400, 200)}
    images = {
        name: [(f"{name}{n}.png", drawn(shape, 100 * place + n)) for n in range(12)]
        for place, (name, shape) in enumerate(shapes.items())
    }
    dataset = import_uploads(workspace, images, "Shapes")
    assert fit_of(dataset) == "border"
    assert judge_labels(dataset, FeatureSource(dataset, UNATTENDED).read()).accuracy >= 0.9
    upright = replace(dataset, images=tuple(replace(record, width=200, height=200) for record in dataset.images))
    assert fit_of(upright) == "squeeze", "the shape tells nothing, and the whole picture counts"
