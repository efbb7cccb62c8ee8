from __future__ import annotations

import io
import shutil
import threading
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.hostile.archives import good_members, zip_of
from tests.hostile.pictures import encoded, isobmff, noise, png
from tl_core.data.dataset import list_datasets, load_dataset
from tl_core.data.imports import building
from tl_core.data.imports.importing import import_folder, import_uploaded_folder, import_uploads, import_zip
from tl_core.data.normalise import normalise_image, read_image, resize_image
from tl_core.data.split import SplitConfig
from tl_core.errors import DataError, NotEnoughDataError, StoppedError, WorkspaceError
from tl_core.machine.progress import TaskContext


def left_over(workspace) -> list[str]:
    return [path.name for path in workspace.datasets.glob("*")]


def test_a_folder_becomes_a_dataset_that_can_be_loaded_again(workspace, make_folder, two_classes):
    dataset = import_folder(workspace, make_folder(two_classes(10)), "My pets")
    assert dataset == load_dataset(dataset.path)
    assert dataset.name == "My pets"
    assert dataset.classes == ("cats", "dogs")
    assert dataset.source == "folder pictures"
    assert not dataset.given_splits
    assert dataset.counts() == {name: {"train": 6, "validation": 2, "test": 2} for name in ("cats", "dogs")}
    assert left_over(workspace) == [dataset.id]
    for record in dataset.images:
        pixels = read_image(dataset.path_of(record))
        assert pixels.shape == (record.height, record.width, 3) == (30, 40, 3)


def test_folder_zip_and_uploads_of_the_same_pictures_give_the_same_dataset(workspace, make_folder):
    members = good_members(5)
    folder = import_folder(workspace, make_folder(dict(members)), "folder")
    zipped = import_zip(workspace, io.BytesIO(zip_of(members)), "zip")
    uploads = {
        name: [
            (path, io.BytesIO(data) if number % 2 else data)
            for number, (path, data) in enumerate(members)
            if name in path
        ]
        for name in ("cats", "dogs")
    }
    uploaded = import_uploads(workspace, uploads, "uploads")
    sent = import_uploaded_folder(workspace, [(f"../mine/./{path}", data) for path, data in members], "sent")
    assert folder.fingerprint == zipped.fingerprint == uploaded.fingerprint == sent.fingerprint
    assert len({folder.id, zipped.id, uploaded.id, sent.id}) == 4
    assert {dataset.name for dataset in list_datasets(workspace)} == {"folder", "zip", "uploads", "sent"}
    assert sent.source == "folder mine"


def test_what_training_reads_is_byte_for_byte_what_prediction_computes(workspace):
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures = {
        "photo.jpg": encoded(noise(1, 900, 700), "JPEG", exif=exif.tobytes(), quality=80),
        "large.png": encoded(noise(2, 800, 1000)),
        "small.png": png(3),
        "alpha.png": encoded(noise(4, 300, 300).convert("RGBA").rotate(30)),
        "palette.gif": encoded(noise(5, 300, 280), "GIF"),
        "cmyk.jpg": encoded(noise(6, 300, 280).convert("CMYK"), "JPEG"),
        "web.webp": encoded(noise(7, 500, 280), "WEBP"),
        "map.bmp": encoded(noise(8, 70, 280), "BMP"),
    }
    dataset = import_uploads(workspace, {"a": list(pictures.items()), "b": [("1", png(90)), ("2", png(91))]}, "all")
    for record in dataset.images[: len(pictures)]:
        for size in (32, 224):
            trained = resize_image(read_image(dataset.path_of(record)), size)
            predicted = resize_image(
                read_image(normalise_image(pictures[record.source_name.split("/")[-1]]).encoded), size
            )
            assert np.array_equal(trained, predicted), record.source_name


def test_given_splits_are_kept_and_a_missing_one_is_drawn(workspace, make_folder, two_classes):
    files = two_classes(10, "pets/training/") | two_classes(4, "pets/val/")
    dataset = import_folder(workspace, make_folder(files), "pets", SplitConfig(test=0.2))
    assert dataset.given_splits
    assert dataset.counts() == {name: {"train": 8, "validation": 4, "test": 2} for name in ("cats", "dogs")}


def test_bad_files_among_good_ones_are_listed_and_the_rest_imported(workspace, make_folder, two_classes):
    bad = {
        "cats/text.jpg": b"words",
        "dogs/cut.png": png(77)[:-400],
        "cats/phone.heic": isobmff(b"heic"),
        "cats/a.txt": b"a",
    }
    dataset = import_folder(workspace, make_folder({**two_classes(10), **bad}), "mixed")
    assert len(dataset.images) == 20
    reasons = {skipped.name: skipped.reason for skipped in dataset.skipped}
    assert set(reasons) == set(bad)
    assert "not an image" in reasons["cats/text.jpg"]
    assert "damaged or cut off" in reasons["cats/phone.heic"]


def test_an_import_with_too_many_bad_pictures_is_refused_with_the_reason(workspace, make_folder, two_classes):
    bad = {f"cats/{number}.psd": b"8BPS\0\1" + bytes(50) for number in range(3)}
    with pytest.raises(DataError, match=r"3 of 11 images cannot be used.*save this one as JPEG"):
        import_folder(workspace, make_folder({**two_classes(4), **bad}), "phone")
    assert left_over(workspace) == []


def test_as_many_bad_pictures_as_allowed_are_no_obstacle(workspace, make_folder, two_classes):
    files = {**two_classes(4), "cats/1.jpg": b"x", "dogs/2.jpg": b"y"}
    assert len(import_folder(workspace, make_folder(files), "edge").images) == 8


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"cats/1.png": True, "cats/2.png": True}, "only one class, “cats”"),
        ({"cats/1.png": True, "cats/2.png": True, "dogs/1.png": True}, "“dogs” has only 1 image"),
        ({}, "no images"),
        ({"cats/1.txt": b"x"}, "no images"),
    ],
)
def test_too_little_data_is_refused_with_a_sentence(workspace, make_folder, files, says):
    folder = make_folder({**files, "readme.md": b"hello"})
    with pytest.raises(NotEnoughDataError, match=says):
        import_folder(workspace, folder, "little")
    assert left_over(workspace) == []


def test_a_class_whose_only_second_image_is_broken_is_refused(workspace, make_folder, two_classes):
    files = {**two_classes(6), "birds/1.png": True, "birds/2.png": b"broken"}
    with pytest.raises(NotEnoughDataError, match="“birds” has only 1 image that can be used"):
        import_folder(workspace, make_folder(files), "birds")


def test_uploads_without_a_class_are_refused(workspace):
    with pytest.raises(NotEnoughDataError, match="no class"):
        import_uploads(workspace, {}, "nothing")


def test_a_missing_folder_is_one_sentence(workspace, tmp_path):
    with pytest.raises(DataError, match="no folder “gone”"):
        import_folder(workspace, tmp_path / "gone", "gone")


@pytest.mark.parametrize("name", ["", "  \n", "x" * 101])
def test_a_dataset_needs_a_name(workspace, make_folder, two_classes, name):
    with pytest.raises(DataError, match="name of 1 to 100 characters"):
        import_folder(workspace, make_folder(two_classes()), name)


@pytest.mark.parametrize("name", ["γάτα", "ねこ", "🐈‍⬛", "<script>alert(1)<", "قطة", "CON", "a'b\"c", "%2e%2e"])
def test_class_names_of_every_kind_survive(workspace, name):
    uploads = {
        name: [("1.png", png(1)), ("2.png", png(2)), ("3.png", png(3))],
        "other": [("1", png(4)), ("2", png(5))],
    }
    dataset = import_uploads(workspace, uploads, "names")
    assert set(load_dataset(dataset.path).classes) == {name, "other"}


def test_classes_and_images_are_in_natural_order(workspace):
    uploads = {str(n): [(f"{i}.png", png(100 * n + i)) for i in (10, 9, 2)] for n in (10, 2, 1)}
    dataset = import_uploads(workspace, uploads, "order")
    assert dataset.classes == ("1", "2", "10")
    assert [image.source_name for image in dataset.images[:3]] == ["1/2.png", "1/9.png", "1/10.png"]


def test_copies_are_stored_once_and_kept_on_one_side(workspace):
    copies = [(f"{copy}-{n}.png", png(n)) for n in range(12) for copy in range(3)]
    dataset = import_uploads(workspace, {"a": copies, "b": [(f"{n}.png", png(50 + n)) for n in range(9)]}, "copies")
    assert len(dataset.images) == 45
    assert len(list((dataset.path / "images").iterdir())) == 21
    sides: dict[str, set[str]] = {}
    for record in dataset.images:
        sides.setdefault(record.pixels_sha256, set()).add(record.split)
    assert all(len(splits) == 1 for splits in sides.values())


def test_two_spellings_of_a_class_are_one(workspace):
    uploads = {
        "Caf\u00e9": [("1", png(1)), ("2", png(2))],
        "Cafe\u0301": [("3", png(3))],
        "tea": [("4", png(4)), ("5", png(5))],
    }
    assert import_uploads(workspace, uploads, "spellings").counts()["Café"]["train"] == 2


def test_progress_counts_every_picture_and_never_goes_back(workspace, make_folder, two_classes):
    seen: list[tuple[int, int]] = []
    files = {**two_classes(8), "cats/bad.png": b"bad"}
    import_folder(
        workspace, make_folder(files), "seen", task=TaskContext(lambda at: seen.append((at.done, at.total)))
    )
    assert seen == [(done, 17) for done in range(18)]


def test_a_stopped_import_leaves_nothing(workspace, make_folder, two_classes):
    seen: list[int] = []
    with pytest.raises(StoppedError, match="nothing of it was kept"):
        import_folder(
            workspace,
            make_folder(two_classes(20)),
            "stopped",
            task=TaskContext(lambda at: seen.append(at.done), lambda: len(seen) > 5),
        )
    assert max(seen) < 10
    assert left_over(workspace) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode-images")]


def test_a_full_disk_in_the_middle_leaves_nothing(workspace, make_folder, two_classes, monkeypatch):
    folder, written = make_folder(two_classes(10)), []

    def write(path, content):
        written.append(path)
        if len(written) > 8:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("tl_core.data.imports.importing.store_once", write)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        import_folder(workspace, folder, "full")
    assert len(written) > 8
    assert left_over(workspace) == []


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(
    workspace, make_folder, two_classes, monkeypatch
):
    usage = shutil.disk_usage("/")._replace(total=10**12, free=1_500_000_000)
    monkeypatch.setattr(building.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(WorkspaceError, match=r"1\.5 GB left"):
        import_folder(workspace, make_folder(two_classes()), "no room")
    assert left_over(workspace) == []


def test_a_small_disk_may_be_filled_to_nine_tenths(workspace, monkeypatch):
    usage = shutil.disk_usage("/")._replace(total=1_000_000_000, free=200_000_000)
    monkeypatch.setattr(building.shutil, "disk_usage", lambda path: usage)
    workspace.ensure()
    building.require_room(workspace.datasets, 50_000_000)
    with pytest.raises(WorkspaceError):
        building.require_room(workspace.datasets, 150_000_000)


def test_a_workspace_that_cannot_be_made_is_one_sentence(workspace, make_folder, two_classes):
    workspace.root.write_text("a file where the folder should be")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        import_folder(workspace, make_folder(two_classes()), "nowhere")


def test_what_a_killed_import_left_is_removed_after_a_day(workspace, make_folder, two_classes, monkeypatch):
    workspace.ensure()
    (workspace.datasets / ".importing-0123" / "images").mkdir(parents=True)
    folder = make_folder(two_classes())
    assert ".importing-0123" in left_over_after(import_folder(workspace, folder, "now"), workspace)
    now = building.time.time()
    monkeypatch.setattr(building.time, "time", lambda: now + 25 * 3600)
    assert ".importing-0123" not in left_over_after(import_folder(workspace, folder, "later"), workspace)


def left_over_after(_dataset, workspace) -> list[str]:
    return left_over(workspace)


def test_links_out_of_the_folder_are_not_followed(workspace, make_folder, two_classes, tmp_path):
    outside = make_folder({"secret.png": True}, "outside")
    folder = make_folder(two_classes())
    (folder / "cats" / "link.png").symlink_to(outside / "secret.png")
    (folder / "dogs" / "inside.png").symlink_to(folder / "cats" / "0.png")
    (folder / "linked").symlink_to(outside)
    dataset = import_folder(workspace, folder, "links")
    assert Counter(image.source_name.split("/")[0] for image in dataset.images) == {"cats": 4, "dogs": 5}
    assert [skipped.name for skipped in dataset.skipped] == ["cats/link.png"]


def test_file_names_that_are_no_unicode_are_imported(workspace, make_folder, two_classes):
    folder = make_folder(two_classes())
    (folder / "cats" / "0.png").rename(folder / "cats" / "b\udcffd.png")
    names = [image.source_name for image in import_folder(workspace, folder, "names").images]
    assert "cats/b?d.png" in names


def test_two_imports_at_once_do_not_disturb_each_other(workspace):
    data = zip_of(good_members(8))
    datasets = []

    def work() -> None:
        datasets.append(import_zip(workspace, io.BytesIO(data), "same"))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({dataset.id for dataset in datasets}) == 3
    assert len({dataset.fingerprint for dataset in datasets}) == 1
    assert len(left_over(workspace)) == 3
