"""Reading images, and changing them at random, as code."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent
from typing import Final

from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.export.code.documents import Cell

_READING: Final = dedent('''\
    def read(path):
        """A picture as uint8 RGB (SIZE, SIZE, 3): upright, squeezed as a whole to a square."""
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        return np.array(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


    def find(split):
        """The paths of a split's pictures, each with the number of its class."""
        manifest = DATA / "manifest.json"
        if manifest.is_file():
            known = json.loads(manifest.read_text(encoding="utf-8"))
            place = [CLASSES.index(name) for name in known["classes"]]
            return [(DATA / one["file"], place[one["label"]]) for one in known["images"] if one["split"] == split]
        folders = [DATA / split / name for name in CLASSES]
        return [(path, label) for label, folder in enumerate(folders) for path in sorted(folder.glob("*"))]


    def load(split):
        """Images (n, SIZE, SIZE, 3) uint8 and labels (n,)."""
        found = find(split)
        images = np.array([read(path) for path, _ in found], np.uint8).reshape(-1, SIZE, SIZE, 3)
        return images, np.array([label for _, label in found], int)


    train_images, train_labels = load("train")
    validation_images, validation_labels = load("validation")
    test_images, test_labels = load("test")
    print(f"{len(train_images)} training, {len(validation_images)} validation and {len(test_images)} test images")
    ''')

_AUGMENTING: Final = dedent('''\


    def augment(images):
        """Change every image of a float32 batch in its own way."""
        for layer in augmentation:
            images = layer(images, training=True)
        return tf.round(tf.clip_by_value(images, 0, 255))
    ''')


def reading() -> Cell:
    """Code that names the images and labels of the three splits."""
    return Cell("Images", "All of them lie in memory, as whole numbers.", _READING)


def augmentation(config: TrainingConfig) -> list[Cell]:
    """Code that names the function ``augment``; nothing where no random change is switched on."""
    if not config.augmentation.enabled:
        return []
    steps = [f"    {step}," for step in _layers(config.augmentation)]
    code = "\n".join(["augmentation = [", *steps, "]"]) + "\n" + _AUGMENTING
    return [Cell("Augmentation", "Random changes to training images, so that little data goes further.", code)]


def _layers(config: AugmentationConfig) -> Iterator[str]:
    fill = f'fill_mode="{config.fill_mode}"'
    if config.horizontal_flip or config.vertical_flip:
        both = config.horizontal_flip and config.vertical_flip
        mode = "horizontal_and_vertical" if both else "horizontal" if config.horizontal_flip else "vertical"
        yield f'layers.RandomFlip("{mode}", seed=SEED)'
    if config.rotation_degrees:
        yield f"layers.RandomRotation({config.rotation_degrees!r} / 360, {fill}, seed=SEED + 1)"
    if config.zoom:
        yield f"layers.RandomZoom({config.zoom!r}, {fill}, seed=SEED + 2)"
    if config.shift:
        yield f"layers.RandomTranslation({config.shift!r}, {config.shift!r}, {fill}, seed=SEED + 3)"
    if config.shear:
        yield f"layers.RandomShear(x_factor={config.shear!r}, {fill}, seed=SEED + 4)"
    if config.brightness:
        yield f"layers.RandomBrightness({config.brightness!r}, value_range=(0, 255), seed=SEED + 5)"
    if config.contrast:
        yield (
            f"layers.RandomContrast(({config.contrast!r}, {config.contrast!r}), value_range=(0, 255), seed=SEED + 6)"
        )
