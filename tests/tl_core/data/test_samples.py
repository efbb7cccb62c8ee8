from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import itertools
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from sklearn.datasets import load_digits

from tests.hostile.archives import good_members, zip_of
from tl_core.data.dataset import SPLITS
from tl_core.data.health import health_report
from tl_core.data.imports.download import DOWNLOADING, Download
from tl_core.data.normalise import read_image
from tl_core.data.samples import SAMPLES, get_sample, import_sample, patch_corners
from tl_core.errors import DataError
from tl_core.machine.progress import Progress, TaskContext


@pytest.mark.slow
def test_digits_are_the_scans_of_scikit_learn_as_black_ink_on_white(workspace):
    dataset = import_sample(workspace, "digits")
    assert len(dataset.images) == SAMPLES["digits"].images == 1797
    assert dataset.classes == tuple("0123456789")
    sizes = {split: len(dataset.of_split(split)) for split in SPLITS}
    assert sizes == {"train": 1259, "validation": 269, "test": 269}
    scans = load_digits()
    for record in dataset.images[::100]:
        number = int(record.source_name.split("-")[-1].removesuffix(".png"))
        assert dataset.classes[record.label] == str(scans.target[number])
        pixels = read_image(dataset.path_of(record)).astype(float)
        assert pixels.shape == (64, 64, 3)
        coarse = pixels.mean(axis=2).reshape(8, 8, 8, 8).mean(axis=(1, 3))
        expected = 255 * (1 - scans.images[number] / 16)
        assert np.corrcoef(coarse.ravel(), expected.ravel())[0, 1] > 0.97
    assert not [finding for finding in health_report(dataset) if finding.level == "warning"]


def test_surfaces_are_patches_of_the_photographs(workspace):
    dataset = import_sample(workspace, "surfaces")
    assert dataset.given_splits
    assert len(dataset.images) == SAMPLES["surfaces"].images == 336
    assert dataset.counts() == {
        name: {"train": 72, "validation": 20, "test": 20} for name in ("brick", "grass", "gravel")
    }
    for record in dataset.images[::20]:
        name, top, left = record.source_name.split("/")[-1].removesuffix(".png").split("-")
        patch = getattr(data, name)()[int(top) : int(top) + 96, int(left) : int(left) + 96]
        assert np.array_equal(read_image(dataset.path_of(record))[..., 0], patch)
    assert {finding.level for finding in health_report(dataset)} == {"good"}


def test_surfaces_of_different_splits_share_no_pixel_of_a_photograph():
    seen = {}
    for split in SPLITS:
        seen[split] = np.zeros((512, 512), bool)
        for top, left in patch_corners(split):
            assert top + 96 <= 512
            assert left + 96 <= 512
            seen[split][top : top + 96, left : left + 96] = True
        assert len(set(patch_corners(split))) == len(patch_corners(split))
    for one, other in itertools.combinations(SPLITS, 2):
        assert not (seen[one] & seen[other]).any()


def test_every_sample_has_a_description_and_a_size():
    for name, sample in SAMPLES.items():
        assert sample.name == name
        assert all((sample.title, sample.description, sample.license, sample.classes, sample.images))
        assert (sample.layout is None) != (sample.download is None)
        assert (sample.download_mb > 0) == (sample.download is not None)
        if sample.download:
            assert sample.download.url.startswith("https://")


def test_an_unknown_sample_lists_the_known_ones():
    with pytest.raises(DataError, match="choose one of digits, surfaces, flowers, cats_vs_dogs"):
        get_sample("mnist")


def tgz_of(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Offer a file on a web server of this machine and give its description."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, directory=str(folder), **options)

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()

        def offer(name: str, content: bytes) -> Download:
            (folder / name).write_bytes(content)
            address = f"http://127.0.0.1:{httpd.server_port}/{name}"
            return Download(address, len(content), hashlib.sha256(content).hexdigest())

        yield offer
        httpd.shutdown()
        thread.join()


def downloads_of(workspace) -> list[Path]:
    return [path for path in (workspace.cache / "downloads").rglob("*") if path.is_file()]


def test_flowers_come_from_a_tar_archive_that_is_removed_afterwards(workspace, served):
    archive = tgz_of([*good_members(8, "flower_photos/"), ("flower_photos/LICENSE.txt", b"CC-BY")])
    sample = dataclasses.replace(SAMPLES["flowers"], download=served("flower_photos.tgz", archive))
    told: list[Progress] = []
    dataset = import_sample(workspace, sample, TaskContext(told.append))
    assert dataset.classes == ("cats", "dogs")
    assert len(dataset.images) == 16
    assert (dataset.name, dataset.source, dataset.given_splits) == ("Flowers", "sample flowers", False)
    arrived = [at for at in told if at.text == DOWNLOADING]
    assert (arrived[-1].done, arrived[-1].total) == (len(archive), len(archive))
    assert (told[-1].done, told[-1].total, told[-1].text) == (16, 16, "")
    assert downloads_of(workspace) == []


def test_cats_and_dogs_keep_the_split_of_their_zip_archive(workspace, served):
    top = "cats_and_dogs_filtered/"
    members = [
        (name, content) for part in ("train", "validation") for name, content in good_members(3, f"{top}{part}/")
    ]
    archive = zip_of([*members, (f"{top}vectorize.py", b"print()")])
    sample = dataclasses.replace(SAMPLES["cats_vs_dogs"], download=served("cats_and_dogs_filtered.zip", archive))
    dataset = import_sample(workspace, sample)
    assert dataset.given_splits
    assert dataset.counts() == {name: {"train": 3, "validation": 3, "test": 0} for name in ("cats", "dogs")}
    assert downloads_of(workspace) == []


def test_without_a_network_the_built_in_samples_are_recommended(workspace):
    nowhere = Download("https://no-such-host.invalid/flower_photos.tgz", 1_000_000)
    sample = dataclasses.replace(SAMPLES["flowers"], download=nowhere)
    with pytest.raises(
        DataError, match=r"needs the network.*or choose “Handwritten digits” or “Surfaces”, which are built in"
    ) as caught:
        import_sample(workspace, sample)
    assert "\n" not in str(caught.value)
    assert list(workspace.datasets.glob("*")) == []


def test_a_damaged_archive_is_thrown_away(workspace, served):
    sample = dataclasses.replace(SAMPLES["flowers"], download=served("flower_photos.tgz", b"no tar archive"))
    with pytest.raises(DataError, match="damaged"):
        import_sample(workspace, sample)
    assert downloads_of(workspace) == []


def test_nothing_heavy_is_loaded_before_a_sample_is_used():
    program = (
        "import sys, tl_core.data; print(*{'sklearn', 'skimage', 'scipy', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == ""
