from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.hostile.pictures import (
    broken_exif_jpeg,
    encoded,
    heic_photo,
    noise,
    png_chunk,
    raw_png,
)
from tl_core.data.normalise import normalise_image, read_image, resize_image
from tl_core.errors import ImageError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def pixels(data: bytes) -> np.ndarray:
    return read_image(normalise_image(data).encoded)


def upright_picture() -> np.ndarray:
    """Four different corners, wider than high: every turn and mirror image of it looks different."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:20, :30], picture[:20, 30:] = RED, (0, 255, 0)
    picture[20:, :30], picture[20:, 30:] = BLUE, (255, 255, 0)
    return picture


# How a camera stores an upright picture under each value of the EXIF tag Orientation (EXIF 2.32, 4.6.4).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def with_orientation(picture: np.ndarray, orientation: int, format: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"quality": 95, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    )
    return encoded(Image.fromarray(np.ascontiguousarray(picture)), format, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("format", "tolerance"), [("PNG", 0), ("WEBP", 0), ("JPEG", 40)])
def test_every_exif_orientation_comes_out_upright(orientation, format, tolerance):
    picture = upright_picture()
    result = pixels(with_orientation(STORED[orientation](picture), orientation, format))
    assert result.shape == picture.shape
    assert np.abs(result.astype(int) - picture).max() <= tolerance


def test_a_photo_of_an_iphone_is_read_and_comes_out_upright():
    result = pixels(heic_photo()).astype(int)
    assert result.shape == (64, 48, 3)
    assert np.abs(result[4:28] - (210, 50, 50)).max() < 12
    assert np.abs(result[-28:-4] - (40, 60, 200)).max() < 12


@pytest.mark.parametrize("orientation", [0, 9, 250])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    picture = upright_picture()
    assert np.array_equal(pixels(with_orientation(picture, orientation, "PNG")), picture)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_unreadable_exif_data_does_not_make_the_picture_unusable():
    assert pixels(broken_exif_jpeg()).shape == (30, 40, 3)


def grey_16_bits(values: list[int], *extra: bytes) -> bytes:
    return raw_png(len(values), 1, 16, 0, b"\0" + b"".join(value.to_bytes(2, "big") for value in values), *extra)


def test_16_bit_grey_of_the_full_range_is_divided_by_257():
    result = pixels(grey_16_bits([0, 128, 129, 25_700, 65_535]))
    assert result[0, :, 0].tolist() == [0, 0, 1, 100, 255]
    assert (result == result[..., :1]).all()


def test_16_bit_grey_with_a_transparent_level_is_white_there():
    result = pixels(grey_16_bits([0, 1000, 65_535], png_chunk(b"tRNS", (1000).to_bytes(2, "big"))))
    assert result[0, :, 0].tolist() == [0, 255, 255]


def test_16_bit_colour_becomes_8_bit_colour():
    scanline = b"\0" + b"".join(value.to_bytes(2, "big") for value in (65_535, 0, 25_700))
    assert pixels(raw_png(1, 1, 16, 2, scanline)).tolist() == [[[255, 0, 100]]]


def test_transparent_pixels_become_white_and_half_transparent_ones_are_mixed():
    picture = Image.new("RGBA", (3, 1))
    for place, colour in enumerate([(255, 0, 0, 0), (255, 0, 0, 255), (255, 0, 0, 128)]):
        picture.putpixel((place, 0), colour)
    assert pixels(encoded(picture)).tolist() == [[[255, 255, 255], [255, 0, 0], [255, 127, 127]]]


def test_grey_with_alpha_is_laid_over_white():
    picture = Image.new("LA", (2, 1))
    picture.putpixel((0, 0), (0, 0))
    picture.putpixel((1, 0), (50, 255))
    assert pixels(encoded(picture))[0, :, 0].tolist() == [255, 50]


def test_a_palette_with_a_transparent_colour_is_laid_over_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    assert pixels(encoded(picture, transparency=0)).tolist() == [[list(WHITE), list(BLUE)]]


def test_a_palette_becomes_its_colours():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    assert pixels(encoded(picture)).tolist() == [[list(RED), list(BLUE)]]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_taken(format):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100, **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert (pixels(data) == RED).all()


def test_one_bit_becomes_black_and_white():
    picture = Image.new("1", (2, 1))
    picture.putpixel((1, 0), 1)
    assert pixels(encoded(picture)).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_cmyk_becomes_rgb():
    result = pixels(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95))
    assert np.abs(result.astype(int) - (0, 255, 255)).max() <= 6


def test_a_camera_file_with_several_pictures_gives_the_first():
    data = encoded(
        Image.new("RGB", (32, 32), RED), "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32), BLUE)]
    )
    assert np.abs(pixels(data).astype(int) - RED).max() <= 6


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF"])
def test_small_pictures_are_kept_without_loss(format):
    picture = noise(3).quantize(200).convert("RGB") if format == "GIF" else noise(3)
    image = normalise_image(encoded(picture, format))
    assert (image.suffix, image.width, image.height) == (".png", 40, 30)
    assert np.array_equal(read_image(image.encoded), np.asarray(picture))


@pytest.mark.parametrize(
    ("size", "expected", "suffix"),
    [
        ((1, 1), (1, 1), ".png"),
        ((256, 256), (256, 256), ".png"),
        ((257, 256), (257, 256), ".jpg"),
        ((640, 480), (640, 480), ".jpg"),
        ((1600, 1200), (853, 640), ".jpg"),
        ((1200, 1600), (640, 853), ".jpg"),
        ((20_000, 30), (8192, 12), ".jpg"),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_large_pictures_are_shrunk_and_small_ones_never_enlarged(size, expected, suffix, format):
    image = normalise_image(encoded(Image.new("RGB", size, (10, 200, 90)), format))
    assert ((image.width, image.height), image.suffix) == (expected, suffix)
    result = read_image(image.encoded)
    assert result.shape == (expected[1], expected[0], 3)
    assert np.abs(result.astype(int) - (10, 200, 90)).max() <= 2


def test_a_large_jpeg_is_nearly_equal_to_the_png_of_it():
    ramp = np.indices((1600, 2400)).sum(0) % 512
    picture = np.repeat(np.abs(ramp - 256).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    from_png = pixels(encoded(Image.fromarray(picture)))
    from_jpeg = pixels(encoded(Image.fromarray(picture), "JPEG", quality=95))
    assert np.abs(from_png.astype(int) - from_jpeg).mean() < 2


def test_nothing_but_pixels_is_kept():
    exif = Image.Exif()
    exif[0x010F] = "SECRET MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    options = {
        "exif": exif.tobytes(),
        "comment": b"SECRET COMMENT",
        "icc_profile": b"SECRET PROFILE",
        "xmp": b"SECRET XMP",
    }
    for size in ((40, 30), (400, 300)):
        data = encoded(noise(1, *size), "JPEG", **options)
        assert data.count(b"SECRET") == 4
        kept = normalise_image(data).encoded
        assert b"SECRET" not in kept
        assert b"Exif" not in kept
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(Image.open(io.BytesIO(kept)).info)


def test_equal_pixels_have_equal_hashes_whatever_the_file_format():
    picture = noise(8)
    hashes = {normalise_image(encoded(picture, format)).pixels_sha256 for format in ("PNG", "BMP")}
    assert len(hashes) == 1
    assert normalise_image(encoded(noise(9))).pixels_sha256 not in hashes


def test_the_same_bytes_always_give_the_same_result():
    data = encoded(noise(5, 900, 700), "JPEG")
    assert normalise_image(data) == normalise_image(data)


def test_a_missing_or_damaged_stored_image_is_one_sentence(tmp_path):
    with pytest.raises(ImageError, match="missing or damaged"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="missing or damaged"):
        read_image(b"rubbish")


def test_resizing_squeezes_the_whole_image_to_a_square():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 15:] = 200
    result = resize_image(image, 6)
    assert result.shape == (6, 6, 3)
    assert result.dtype == np.uint8
    assert (result[:, 0] == 0).all()
    assert (result[:, 5] == 200).all()


def test_resizing_averages_instead_of_dropping_pixels():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = resize_image(stripes, 8)[2:6, 2:6]
    assert np.abs(middle.astype(int) - 128).max() < 8
