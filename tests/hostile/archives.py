"""Zip archives of good pictures with something bad among them, and the verdict each must get."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.hostile.pictures import png

Member = tuple[str | zipfile.ZipInfo, bytes]


def good_members(count: int = 3, prefix: str = "") -> list[Member]:
    """Some pictures of cats and some of dogs."""
    return [
        (f"{prefix}{name}/{number}.png", png(100 * place + number))
        for place, name in enumerate(("cats", "dogs"))
        for number in range(count)
    ]


def zip_of(members: Iterable[Member], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def with_good(*members: Member) -> bytes:
    return zip_of([*good_members(), *members])


def renamed(old: str, new: str) -> bytes:
    """An archive in which one member has a name that no zip tool would write."""
    assert len(old.encode()) == len(new.encode())
    return with_good((old, png(50))).replace(old.encode(), new.encode())


def special(name: str, mode: int, content: bytes) -> Member:
    """A member that Unix would make a link or a device."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o777) << 16
    return info, content


def encrypted() -> bytes:
    """An archive whose last member claims to be protected by a password."""
    data = bytearray(with_good(("cats/secret.png", png(51))))
    local, central = data.rindex(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def unknown_compression() -> bytes:
    """An archive whose last member is packed with a method that does not exist."""
    data = bytearray(with_good(("cats/odd.png", png(52))))
    local, central = data.rindex(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    data[local + 8 : local + 10] = data[central + 10 : central + 12] = struct.pack("<H", 77)
    return bytes(data)


def lying_size(claimed: int) -> bytes:
    """An archive whose last member claims another unpacked size than it has."""
    data = bytearray(zip_of([*good_members(), ("cats/liar.png", png(53))], zipfile.ZIP_STORED))
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<L", claimed)
    return bytes(data)


def newer_version() -> bytes:
    """An archive whose table of contents requires a future version of zip."""
    data = bytearray(with_good())
    central = data.rindex(b"PK\x01\x02")
    data[central + 6] = 84
    return bytes(data)


def damaged_lzma_member() -> bytes:
    """An archive packed by LZMA, whose last member is damaged."""
    data = bytearray(zip_of([*good_members(), ("dogs/hit.png", png(54))], zipfile.ZIP_LZMA))
    start = data.rindex(b"PK\x03\x04") + 100
    data[start : start + 20] = bytes(20)
    return bytes(data)


def damaged_member() -> bytes:
    """An archive whose last member no longer fits its checksum."""
    data = bytearray(zip_of([*good_members(), ("dogs/hit.png", png(54))], zipfile.ZIP_STORED))
    start = data.rindex(b"PK\x03\x04") + 100
    data[start : start + 20] = bytes(20)
    return bytes(data)


def many_files(count: int) -> bytes:
    return zip_of(((f"cats/{number}.png", b"") for number in range(count)), zipfile.ZIP_STORED)


def huge_directory(claimed: int, zip64: bool = False) -> bytes:
    """An archive whose end record claims a table of contents of ``claimed`` bytes."""
    data = bytearray(with_good())
    end = data.rindex(b"PK\x05\x06")
    if not zip64:
        data[end + 12 : end + 16] = struct.pack("<L", claimed)
        return bytes(data)
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 6, 6, claimed, 0)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, end, 1)
    return bytes(data[:end]) + record + locator + bytes(data[end:])


@dataclass(frozen=True)
class BadArchive:
    """An archive that must be refused (``says``), or imported without its ``skipped`` bad members."""

    name: str
    make: Callable[[], bytes]
    says: str = ""
    skipped: int = 0

    def __str__(self) -> str:
        return self.name


BAD_ARCHIVES = (
    BadArchive("nothing", lambda: b"", says="empty"),
    BadArchive("empty zip", lambda: zip_of([]), says="empty"),
    BadArchive("folders alone", lambda: zip_of([("cats/", b""), ("dogs/", b"")]), says="empty"),
    BadArchive("no zip", lambda: b"I am no zip file" * 50, says="not a zip"),
    BadArchive("a picture", lambda: png(1), says="not a zip"),
    BadArchive("cut off", lambda: with_good()[:-300], says="not a zip"),
    BadArchive("signature alone", lambda: b"PK\x05\x06" + bytes(3), says="not a zip"),
    BadArchive("no picture", lambda: zip_of([("cats/notes.txt", b"x"), ("dogs/list.csv", b"y")]), says="no images"),
    BadArchive("one class", lambda: zip_of(good_members()[:3]), says="only one class, “cats”"),
    BadArchive("no class folder", lambda: zip_of([("1.png", png(1)), ("2.png", png(2))]), says="no class folders"),
    BadArchive("a class of one", lambda: with_good(("birds/1.png", png(60))), says="“birds” has only 1 image"),
    BadArchive("bomb of one file", lambda: with_good(("cats/b.png", bytes(50_000_000))), says="unpacks to more than"),
    BadArchive("too many files", lambda: many_files(10_001), says="10,001 files"),
    BadArchive("2 GB in the table of contents", lambda: lying_size(2_000_000_000), says="more than the 1.0 GB"),
    BadArchive("huge directory", lambda: huge_directory(4_000_000_000), says="more than the 10,000 files"),
    BadArchive("huge zip64 directory", lambda: huge_directory(10**12, zip64=True), says="more than the 10,000 files"),
    BadArchive("climbs out", lambda: with_good(("../../evil.png", png(61))), skipped=1),
    BadArchive("climbs out inside", lambda: with_good(("cats/../../../evil.png", png(61))), skipped=1),
    BadArchive("climbs out with backslashes", lambda: with_good(("..\\..\\evil.png", png(61))), skipped=1),
    BadArchive("absolute", lambda: with_good(("/tmp/evil.png", png(61))), skipped=1),
    BadArchive("drive", lambda: with_good(("C:\\evil.png", png(61))), skipped=1),
    BadArchive("network share", lambda: with_good(("\\\\server\\share\\evil.png", png(61))), skipped=1),
    BadArchive("nul byte", lambda: renamed("cats/a_evil.png", "cats/a\0evil.png"), skipped=1),
    BadArchive("link", lambda: with_good(special("cats/link.png", stat.S_IFLNK, b"/etc/passwd")), skipped=1),
    BadArchive("linked folder", lambda: with_good(special("cats/d", stat.S_IFLNK, b"/"), ("x.txt", b"")), skipped=2),
    BadArchive("device", lambda: with_good(special("cats/null.png", stat.S_IFCHR, b"")), skipped=1),
    BadArchive("password", encrypted, skipped=1),
    BadArchive("unknown compression", unknown_compression, skipped=1),
    BadArchive("smaller than it says", lambda: lying_size(10), skipped=1),
    BadArchive("damaged member", damaged_member, skipped=1),
    BadArchive("damaged member packed by LZMA", damaged_lzma_member, skipped=1),
    BadArchive("zip of the future", newer_version, says="not a zip"),
    BadArchive("archive within", lambda: with_good(("cats/more.zip", with_good())), skipped=1),
    BadArchive("text named jpg", lambda: with_good(("cats/a.jpg", b"only words")), skipped=1),
)
