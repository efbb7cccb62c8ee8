from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.pictures import BAD_PICTURES, BadPicture, encoded, noise
from tl_core.data.normalise import normalise_image, read_image
from tl_core.errors import ImageError


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("bad", BAD_PICTURES, ids=str)
def test_bad_pictures_are_refused_with_one_sentence(bad: BadPicture):
    data = bad.make()
    started = time.process_time()
    with pytest.raises(ImageError, match=bad.says) as caught:
        normalise_image(data)
    assert time.process_time() - started < 1
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert message.endswith(".")


def test_a_pixel_flood_is_refused_from_its_header_without_using_memory():
    program = """
import resource, sys, time
from tests.hostile.pictures import flood_png, png
from tl_core.data.normalise import normalise_image
from tl_core.errors import ImageError
data = flood_png()
assert len(data) < 30_000
normalise_image(png(1))
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, started = peak(), time.process_time()
try:
    normalise_image(data)
except ImageError as error:
    print(int(1000 * (time.process_time() - started)), peak() - before)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    milliseconds, kilobytes = map(int, result.stdout.split())
    assert milliseconds < 50
    assert kilobytes < 10_000


def test_broken_pictures_in_many_threads_leave_the_good_ones_alone():
    data, results = encoded(noise(5, 300, 200), "JPEG"), []
    expected = normalise_image(data)

    def work() -> None:
        for _ in range(5):
            with pytest.raises(ImageError):
                normalise_image(data[:-2000])
            results.append(normalise_image(data) == expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


VALID = [
    encoded(noise(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
    encoded(noise(1), "GIF", save_all=True, append_images=[noise(2)]),
    encoded(noise(1), "WEBP"),
    encoded(noise(1).convert("P"), transparency=1),
    encoded(noise(1), "BMP"),
    encoded(noise(1), "TIFF"),
    encoded(noise(1), "TIFF", compression="tiff_lzw"),
]


@settings(max_examples=150, deadline=None)
@given(
    data=st.sampled_from(VALID),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | st.integers(0, 5000),
)
@pytest.mark.filterwarnings("ignore")
def test_whatever_happens_to_a_file_it_is_read_or_refused_with_a_sentence(data, changes, cut):
    damaged = bytearray(data[:cut])
    for place, value in changes:
        if damaged:
            damaged[place % len(damaged)] = value
    try:
        image = normalise_image(bytes(damaged))
    except ImageError:
        return
    assert read_image(image.encoded).shape == (image.height, image.width, 3)
