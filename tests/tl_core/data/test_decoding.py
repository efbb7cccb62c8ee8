"""Every kind of picture file is seen as a person sees it; numbers at the end of a name are those of the cases."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.hostile.pictures import encoded, noise, png_chunk, raw_png, text_bomb_png
from tl_core.data import load_dataset
from tl_core.data.decoding import BORDER, read_picture
from tl_core.data.editing import add_images
from tl_core.data.imports.importing import import_uploads
from tl_core.data.normalise import Reading, decode_image, normalise_image, read_image, resize_image
from tl_core.data.samples import import_sample
from tl_core.errors import ImageError
from tl_core.export.picture_kinds import KINDS, wide_profile

RAMP = np.linspace(0, 1, 4096).reshape(64, 64)


def seen(data: bytes) -> np.ndarray:
    return read_image(normalise_image(data).encoded)


def grey(values: np.ndarray, format: str, **options: object) -> bytes:
    return encoded(Image.fromarray(values), format, **options)


def tiff_of_colours(levels: np.ndarray) -> bytes:
    """16-bit RGB, which Pillow does not write."""
    height, width, channels = levels.shape
    fields = {256: width, 257: height, 259: 1, 262: 2, 277: channels, 278: height, 279: levels.size * 2}
    start = 8 + 2 + 12 * (len(fields) + 2) + 4
    fields |= {258: start, 273: start + 6}
    entries = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, value)
        for tag, value in sorted(fields.items())
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    return head + struct.pack("<HHH", 16, 16, 16) + levels.astype("<u2").tobytes()


@pytest.mark.parametrize("most", [4095, 300, 65_535])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_stretched_by_its_own_range_1_3(most, format):
    picture = seen(grey((RAMP * most).astype(np.uint16), format))
    assert len(np.unique(picture)) > 250, "12 bits in 16 were 16 grey levels, and a dimmer picture had two"
    assert (picture.min(), picture.max()) == (0, 255)
    assert (picture == picture[..., :1]).all()


def test_a_hot_pixel_does_not_take_the_range_of_all_others():
    levels = (RAMP * 4095).astype(np.uint16)
    levels[5, 5] = 65_535
    assert len(np.unique(seen(grey(levels, "PNG")))) > 250


def test_numbers_of_any_range_are_stretched_alike():
    as_float = seen(grey((RAMP * 7 - 3).astype(np.float32), "TIFF"))
    as_whole = seen(grey((RAMP * 70_000 - 3).astype(np.int32), "TIFF"))
    assert np.abs(as_float.astype(int) - as_whole).max() <= 1
    assert seen(grey(np.full((8, 8), 257 * 9, np.uint16), "PNG")).tolist() == [[[9] * 3] * 8] * 8, "one colour"


def test_12_bits_in_16_bit_colours_keep_their_levels():
    levels = np.stack([RAMP * 4095, RAMP[::-1] * 2000, RAMP * 0], axis=-1).astype(np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    with_alpha = np.concatenate([levels, np.full((64, 64, 1), 65_535)], axis=-1)
    transparent = b"".join(b"\0" + row.astype(">u2").tobytes() for row in with_alpha)
    for data in (raw_png(64, 64, 16, 2, rows), raw_png(64, 64, 16, 6, transparent), tiff_of_colours(levels)):
        picture = seen(data)
        assert len(np.unique(picture[..., 0])) > 250
        assert picture[..., 1].max() == pytest.approx(2000 / 4095 * 255, abs=2), "all channels by one range"
        assert picture[..., 2].max() == 0


def test_16_bit_grey_with_transparency_has_both_its_bytes():
    levels = np.stack([RAMP * 4095, np.full_like(RAMP, 65_535)], axis=-1)
    levels[:, :32, 1] = 0
    picture = seen(raw_png(64, 64, 16, 4, b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)))
    assert len(np.unique(picture[:, 32:])) > 120
    assert (picture[:, :32] == 255).all()


@pytest.mark.parametrize(
    "options", [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg", "quality": 95}], ids=str
)
def test_a_tiff_is_read_by_its_first_page_3(options):
    pages = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue", "green")]
    picture = seen(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options))
    assert np.abs(picture.astype(int) - (255, 0, 0)).max() <= 6


def test_a_turned_tiff_comes_out_upright():
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:10] = (255, 0, 0)
    data = encoded(Image.fromarray(np.ascontiguousarray(np.rot90(upright))), "TIFF", tiffinfo={274: 6})
    assert np.array_equal(seen(data), upright)


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}], ids=["dng", "nef"])
def test_of_a_camera_raw_file_the_preview_is_not_taken(tags):
    with pytest.raises(ImageError, match="raw file"):
        normalise_image(encoded(noise(1), "TIFF", tiffinfo=tags))


def strokes(level: int) -> bytes:
    picture = np.full((40, 40, 4), level, np.uint8)
    picture[..., 3] = 0
    picture[18:22, :, 3] = 255
    return encoded(Image.fromarray(picture))


@pytest.mark.parametrize(("level", "ground"), [(255, 0), (0, 255), (100, 255)])
def test_strokes_on_transparency_are_seen_4(level, ground):
    picture = seen(strokes(level))
    assert (picture[20] == level).all()
    assert (picture[0] == ground).all()


def test_bright_strokes_of_16_bits_are_seen_too():
    levels = np.full((20, 20), 1000, np.uint16)
    levels[9:11] = np.linspace(3000, 4000, 40).reshape(2, 20)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    picture = seen(raw_png(20, 20, 16, 0, rows, png_chunk(b"tRNS", (1000).to_bytes(2, "big"))))
    assert picture[0].max() == 0
    assert picture[9:11].min() > 150


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_colour_profile_is_converted_to_srgb_18(format):
    options = {"quality": 95} if format != "PNG" else {}
    plain, named = (
        seen(encoded(Image.new("RGB", (40, 30), (200, 80, 20)), format, **options, **more))
        for more in ({}, {"icc_profile": wide_profile()})
    )
    assert np.abs(plain.astype(int) - (200, 80, 20)).max() <= 3
    assert np.abs(named[..., ::-1].astype(int) - (200, 80, 20)).max() <= 4, "its red is the blue of sRGB"


def test_a_broken_profile_does_not_count():
    data = encoded(Image.new("RGB", (40, 30), (200, 80, 20)), icc_profile=b"no profile at all")
    assert seen(data)[0, 0].tolist() == [200, 80, 20]


def with_chunk(kind: bytes, content: bytes) -> bytes:
    data = encoded(noise(3))
    return data[:33] + png_chunk(kind, content) + data[33:]


LARGE = {
    "text": lambda: with_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"words " * 350_000)),
    "plain text": lambda: with_chunk(b"tEXt", b"Comment\0" + b"words " * 350_000),
    "international text": lambda: with_chunk(b"iTXt", b"Comment\0\0\0\0\0" + b"words " * 350_000),
    "profile": lambda: with_chunk(b"iCCP", b"large\0\0" + zlib.compress(bytes(1_500_000))),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_words_and_profiles_in_a_png_do_not_make_it_damaged_19(name):
    assert np.array_equal(seen(LARGE[name]()), np.asarray(noise(3)))


def test_a_bomb_of_text_is_not_unpacked():
    assert seen(text_bomb_png()).shape == (2, 2, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_or_with_bytes_in_front_is_whole_19(progressive):
    data = encoded(noise(4, 100, 80), "JPEG", quality=90, progressive=progressive)
    whole = seen(data)
    assert data.endswith(b"\xff\xd9")
    for other in (data[:-2], data[:-1], b"\r\n\r\n" + data, b"--boundary" + data[:-2]):
        assert np.array_equal(seen(other), whole)
    for cut in (data[:-40], data[: len(data) // 2]):
        with pytest.raises(ImageError, match="damaged or cut off"):
            normalise_image(cut)


def test_a_circle_keeps_its_shape_where_it_is_asked_for_5():
    wide = np.full((50, 100, 3), 200, np.uint8)
    wide[:, :10] = 0
    assert (resize_image(wide, 20)[:, 0] == 0).all()
    bordered = resize_image(wide, 20, "border")
    assert (bordered[:5] == BORDER).all()
    assert (bordered[15:] == BORDER).all()
    assert (bordered[5:15, 4:] == 200).all()
    assert (resize_image(wide, 20, "crop") == 200).all(), "the sides are cut off"
    for fit in ("squeeze", "border", "crop"):
        square = np.asarray(noise(1, 40, 40))
        assert np.array_equal(resize_image(square, 20, fit), resize_image(square, 20))
        assert resize_image(wide[:, :1], 20, fit).shape == (20, 20, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decoding", [1, 2])
def test_what_goes_into_an_export_reads_as_the_dashboard_does_2_25(kind, decoding):
    data = KINDS[kind]()
    for fit in ("squeeze", "border"):
        ours = Reading(48, fit, decoding).of_file(data)
        assert np.array_equal(read_picture(data, 48, fit, decoding), ours)
    stored = read_image(normalise_image(data, decoding).encoded)
    assert np.array_equal(Reading(48, "squeeze", decoding).of_file(data), resize_image(stored, 48))


def test_a_dataset_goes_on_in_the_way_it_was_imported(workspace, monkeypatch):
    """Pictures that are added to an old dataset, and its runs, see 16 bits as all its other pictures were seen."""
    monkeypatch.setattr("tl_core.data.imports.importing.DECODING", 1)
    dark = grey((RAMP * 4095).astype(np.uint16), "PNG")
    old = import_uploads(
        workspace,
        {name: [(f"{n}.png", encoded(noise(n + 10 * ord(name)))) for n in range(6)] for name in "ab"},
        "old",
    )
    monkeypatch.undo()
    assert old.decoding == 1
    grown, _ = add_images(workspace, old.id, {"a": [("dark.png", dark)]})
    record = next(image for image in grown.images if image.source_name.endswith("dark.png"))
    assert read_image(grown.path_of(record)).max() == 16
    assert load_dataset(grown.path).decoding == 1
    assert import_sample(workspace, "surfaces").decoding == 2
    assert decode_image(dark, 1).max() == 16


def test_a_file_without_colours_of_its_own_stays_as_it_was():
    data = encoded(noise(6), "PNG", icc_profile=Image.open(io.BytesIO(encoded(noise(6)))).info.get("icc_profile"))
    assert np.array_equal(seen(data), np.asarray(noise(6)))
