"""What the health report calls nearly the same, looking for faults does, too: one number with one meaning."""

from __future__ import annotations

import numpy as np

from tests.hostile.pictures import encoded
from tests.tl_core.data.test_health import scene
from tl_core.audit.look_alikes import find_look_alikes
from tl_core.data import import_uploads
from tl_core.data.health import health_report

SIZE = 64


class Stored:
    """The images of a dataset as an audit reads them, in one size and all alike: the stored hashes decide."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), SIZE, SIZE, 3), np.uint8)


def test_pictures_saved_again_are_as_many_as_in_the_health_report(workspace):
    images = {
        name: [(f"{number}.png", encoded(scene(first + number))) for number in range(6)]
        for name, first in (("cats", 0), ("dogs", 100))
    }
    images["cats"] += [(f"{number}.jpg", encoded(scene(number), "JPEG", quality=90)) for number in range(3)]
    dataset = import_uploads(workspace, images, "Pets")
    found = find_look_alikes(dataset, np.zeros((len(dataset.images), 4), np.float32), Stored())
    assert [pair.kind for pair in found] == ["saved_again"] * 3
    said = [finding.text for finding in health_report(dataset)]
    assert any("3 pairs are nearly the same picture in one class" in text for text in said)
