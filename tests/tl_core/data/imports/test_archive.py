from __future__ import annotations

import io
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.archives import BAD_ARCHIVES, BadArchive, good_members, zip_of
from tests.hostile.pictures import png
from tl_core.data.imports.archive import ArchiveLimits, tar_source, zip_source
from tl_core.data.imports.code_pages import read_names
from tl_core.data.imports.importing import import_zip
from tl_core.errors import ArchiveError, DataError, TransferLearningError
from tl_core.storage.workspace import Workspace


def names_in(data: bytes) -> set[str]:
    with zip_source(io.BytesIO(data)) as source:
        return {"/".join(file.parts) for file in source.files}


def everything_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.mark.parametrize("bad", BAD_ARCHIVES, ids=str)
def test_bad_archives_are_refused_or_lose_their_bad_members(bad: BadArchive, workspace, tmp_path):
    data = bad.make()
    started = time.process_time()
    if bad.says:
        with pytest.raises(DataError, match=bad.says) as caught:
            import_zip(workspace, io.BytesIO(data), "bad")
        assert str(caught.value).count("\n") == 0
        assert not list(workspace.datasets.glob("*"))
    else:
        dataset = import_zip(workspace, io.BytesIO(data), "bad")
        assert len(dataset.images) == len(good_members())
        assert len(dataset.skipped) == bad.skipped
        assert all(skipped.reason for skipped in dataset.skipped)
    assert time.process_time() - started < 3
    assert {path.parts[0] for path in everything_below(tmp_path)} <= {"workspace"}


def test_an_archive_is_refused_from_its_table_of_contents_in_no_time(workspace):
    bombs = [
        bad.make() for bad in BAD_ARCHIVES if "bomb" in bad.name or "directory" in bad.name or "many" in bad.name
    ]
    assert len(bombs) == 4
    for data in bombs:
        started = time.process_time()
        with pytest.raises(ArchiveError), zip_source(io.BytesIO(data)):
            pass
        assert time.process_time() - started < 1


def test_an_archive_over_the_size_limit_is_refused():
    with (
        pytest.raises(ArchiveError, match="more than the 0 MB allowed"),
        zip_source(io.BytesIO(zip_of(good_members())), ArchiveLimits(file_bytes=100)),
    ):
        pass


def test_a_large_photo_that_compresses_well_is_no_bomb():
    picture = bytes(900_000)  # 1000 times smaller when packed, but small
    assert names_in(zip_of([("cats/flat.bmp", picture)])) == {"cats/flat.bmp"}


def test_names_are_read_as_utf8_also_where_the_flag_is_missing():
    data = zip_of([("käse/ちず.png", b"1")])
    unflagged = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = unflagged.index(signature) + offset
        unflagged[place : place + 2] = b"\0\0"
    assert names_in(bytes(unflagged)) == names_in(data) == {"käse/ちず.png"}


def test_names_of_old_windows_zips_are_read_as_cp437():
    data = zip_of([("k_se/x.png", b"1")]).replace(b"k_se", "käse".encode("cp437"))
    assert names_in(data) == {"käse/x.png"}


NAMES = {
    "cp850": [["Äpfel", "Möhren"], ["café", "thé"], ["maçã", "limão"], ["niño", "niña"]],
    "cp1252": [["Äpfel", "Möhren"], ["café", "thé"], ["Bär", "Löwe"]],
    "cp932": [["表", "ソ", "能", "十"], ["猫", "犬"], ["ねこ", "いぬ"], ["ネコ", "イヌ"]],
    "gbk": [["猫", "狗"], ["苹果", "香蕉"], ["训练集", "测试集"]],
    "cp866": [["кошка", "собака"], ["Кот", "Пёс"], ["лес", "море", "небо"], ["дом", "поле"]],
    "big5": [["貓", "狗"], ["蘋果", "香蕉"], ["功", "許"]],
    "cp949": [["고양이", "강아지"], ["개", "새"], ["훈련", "검증", "시험"], ["사과", "바나나"], ["꽃", "나무"]],
}


@pytest.mark.parametrize(("code_page", "classes"), [(page, names) for page, sets in NAMES.items() for names in sets])
def test_names_in_the_code_page_of_windows_are_read_right_17(code_page, classes):
    """Of some Japanese characters the second byte is a backslash, which once parted a name and merged classes."""
    data = zip_of([(f"{'_' * len(name.encode(code_page))}/{place}.png", b"1") for place, name in enumerate(classes)])
    for place, name in enumerate(classes):
        written = name.encode(code_page)
        data = data.replace(b"_" * len(written) + b"/%d.png" % place, written + b"/%d.png" % place)
    assert names_in(data) == {f"{name}/{place}.png" for place, name in enumerate(classes)}


def test_names_that_no_code_page_explains_stay_different():
    raw = [b"\x81\x81\xff/1.png", b"\x81\x82\xff/1.png", b"\x81\x83\xff/1.png"]
    assert len(set(read_names(raw))) == 3


def test_backslashes_separate_folders():
    assert names_in(zip_of([("cats\\1.png", b"1"), ("dogs\\a\\2.png", b"2")])) == {"cats/1.png", "dogs/a/2.png"}


def test_junk_of_macos_and_windows_is_ignored():
    junk = [
        "__MACOSX/cats/._1.png",
        "cats/._1.png",
        "cats/.DS_Store",
        "cats/Thumbs.db",
        "dogs/desktop.ini",
        ".git/x.png",
    ]
    with zip_source(io.BytesIO(zip_of([*good_members(1), *((name, b"x") for name in junk)]))) as source:
        assert [file.parts for file in source.files] == [("cats", "0.png"), ("dogs", "0.png")]
        assert source.skipped == ()


def test_a_mac_zip_may_hold_as_many_junk_files_as_photos():
    members = [
        (f"{folder}cats/{prefix}{n}.png", b"1")
        for n in range(6)
        for folder, prefix in (("", ""), ("__MACOSX/", "._"))
    ]
    with zip_source(io.BytesIO(zip_of(members)), ArchiveLimits(members=6)) as source:
        assert len(source.files) == 6


def test_a_file_that_is_still_open_elsewhere_is_left_open(workspace):
    file = io.BytesIO(zip_of(good_members()))
    import_zip(workspace, file, "twice")
    assert len(import_zip(workspace, file, "twice").images) == 6


part = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["..", ".", "cats", "dogs", "train", "test", "C:", "\\", "__MACOSX", "", "con", "a\\..\\b"]
)
name = st.lists(part, min_size=1, max_size=4).map("/".join)
picture_pair = st.tuples(name, st.sampled_from([".png", ".jpg", ""]), st.integers(0, 8).map(png))
anything = st.tuples(
    name,
    st.sampled_from([".png", ".jpg", ".txt", ".zip", ""]),
    st.one_of(st.integers(0, 8).map(png), st.binary(max_size=60)),
)


def named(name: str) -> str:
    """What zipfile can write: it cuts a name at a NUL byte, and takes no empty one."""
    return name.lstrip("\0") or "x"


def with_random(
    pairs: list[tuple[str, str, bytes]], others: list[tuple[str, str, bytes]], flips: list[tuple[int, int]]
) -> bytes:
    """Good pictures with random members among them, some bytes of the whole changed."""
    # Two pictures of each name, since a class of one refuses everything, and then nothing else is tried.
    twice = [(name + number, suffix, content) for name, suffix, content in pairs for number in ("1", "2")]
    random = [(named(name + suffix), content) for name, suffix, content in (*twice, *others)]
    data = bytearray(zip_of([*good_members(6), *random]))
    for place, value in flips:
        data[place % len(data)] ^= value
    return bytes(data)


flipped = st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=3)
random_archives = st.builds(
    with_random,
    st.lists(picture_pair, max_size=4),
    st.lists(anything, max_size=2),
    st.one_of(st.just([]), st.just([]), flipped),
)


def check_archive(data: bytes, tried: Counter[str]) -> None:
    """Import an archive: nothing is written outside its dataset, and nothing but a sentence is raised."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace(folder / "a" / "b" / "workspace").ensure()
        there, kept = set(folder.rglob("*")), set[Path]()
        try:
            dataset = import_zip(workspace, io.BytesIO(data), "random")
        except TransferLearningError:
            tried["refused"] += 1
        else:
            tried["imported"] += 1
            tried["left something out"] += bool(dataset.skipped)
            assert len(dataset.classes) >= 2
            assert all(dataset.path_of(image).is_file() for image in dataset.images)
            kept = {dataset.path, *dataset.path.rglob("*")}
        assert set(folder.rglob("*")) - there - kept == set()


LENIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Image size")
def test_no_archive_writes_outside_or_raises_anything_but_a_sentence():
    tried: Counter[str] = Counter()
    settings(max_examples=30, **LENIENT)(given(random_archives)(lambda data: check_archive(data, tried)))()
    assert tried["refused"] + tried["imported"] >= 30
    assert tried["imported"] > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Image size")
def test_not_one_of_ten_thousand_archives_writes_outside():
    tried: Counter[str] = Counter()
    settings(max_examples=10_000, **LENIENT)(given(random_archives)(lambda data: check_archive(data, tried)))()
    assert tried["refused"] + tried["imported"] >= 10_000
    assert min(tried["refused"], tried["imported"], tried["left something out"]) > 500, tried


def test_an_archive_unpacked_without_care_would_be_noticed(tmp_path):
    """The same check of the folder, after a program that trusts the names in an archive."""
    workspace = Workspace(tmp_path / "a" / "b" / "workspace").ensure()
    there = set(tmp_path.rglob("*"))
    with zipfile.ZipFile(io.BytesIO(zip_of([("../../../evil.png", b"x")]))) as archive:
        for info in archive.infolist():
            (workspace.datasets / info.filename).write_bytes(archive.read(info))
    assert set(tmp_path.rglob("*")) - there == {tmp_path / "a" / "evil.png"}


def tar_of(members: list[tuple[tarfile.TarInfo | str, bytes]], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_archive_gives_its_pictures_and_cleans_up(tmp_path, mode):
    file = tmp_path / "pictures.tar"
    file.write_bytes(tar_of([("top/cats/1.png", b"one"), ("top/LICENSE.txt", b"free"), ("top/._1.png", b"x")], mode))
    with tar_source(file, tmp_path, ArchiveLimits()) as source:
        assert [(found.parts, found.read()) for found in source.files] == [(("top", "cats", "1.png"), b"one")]
    assert everything_below(tmp_path) == {Path("pictures.tar")}


def test_tar_members_that_point_outside_or_are_links_are_skipped(tmp_path):
    file = tmp_path / "in" / "bad.tgz"
    file.parent.mkdir()
    bad = [("../evil.png", b"x"), ("/tmp/evil.png", b"x"), (link("a/l.png", "/etc/passwd"), b"")]
    bad += [(link("a/h.png", "/etc/passwd", tarfile.LNKTYPE), b""), (link("a/pipe.png", "", tarfile.FIFOTYPE), b"")]
    file.write_bytes(tar_of([*bad, ("cats/1.png", b"ok")]))
    with tar_source(file, file.parent, ArchiveLimits()) as source:
        assert [found.parts for found in source.files] == [("cats", "1.png")]
        assert len(source.skipped) == len(bad)
    assert everything_below(tmp_path) == {Path("in"), Path("in/bad.tgz")}


@pytest.mark.parametrize(
    ("content", "limits", "says"),
    [
        (b"no tar at all", ArchiveLimits(), "damaged"),
        (tar_of([("a/1.png", bytes(100))])[:-20], ArchiveLimits(), "damaged"),
        (tar_of([("a/1.png", bytes(100)), ("a/2.png", b"")]), ArchiveLimits(members=1), "2 files"),
        (tar_of([("a/1.png", bytes(100))]), ArchiveLimits(unpacked_bytes=99), "unpack to"),
    ],
    ids=["no archive", "cut off", "too many files", "too large"],
)
def test_bad_tar_archives_are_refused(tmp_path, content, limits, says):
    file = tmp_path / "bad.tgz"
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match=says), tar_source(file, tmp_path, limits):
        pass
    assert everything_below(tmp_path) == {Path("bad.tgz")}


def test_a_zip_made_by_zipfile_defaults_is_read():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("cats")
        archive.writestr("cats/1.png", b"1")
    assert names_in(buffer.getvalue()) == {"cats/1.png"}
