"""Driving pages without a browser: opening one, and finding what it shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
ENTRY = str(ROOT / "app.py")


def open_page(page=None, **parameters):
    """Open a page such as ``pages/1_Data.py`` (None = Home) with the given query parameters."""
    at = AppTest.from_file(ENTRY, default_timeout=30)
    if page:
        at.switch_page(page)
    for name, value in parameters.items():
        at.query_params[name] = value
    return checked(at.run())


def checked(at):
    """No page may end in an error that it did not mean."""
    assert not at.exception, [error.value for error in at.exception]
    assert "did not expect" not in " ".join(error.value for error in at.error)
    return at


def press(at, label):
    (button,) = [button for button in at.button if button.label == label]
    return checked(button.click().run())


def run_until(at, condition, reruns=400):
    """Run the page again until it shows what is waited for; each run stands for one refresh of the browser."""
    for _ in range(reruns):
        if condition(at):
            return at
        at.run()
    raise AssertionError(f"Still waiting after {reruns} refreshes; the page says: {texts(at)}")


def texts(at):
    shown = [*at.title, *at.header, *at.subheader, *at.markdown, *at.caption]
    return "\n".join(element.value for element in [*shown, *at.error, *at.warning, *at.success, *at.info])


def picture(seed, size=(32, 32)):
    """A PNG of coloured noise, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pictures(classes=("cat", "dog"), each=20):
    """Class name -> file names and contents, as an import takes them."""
    return {
        label: [(f"{number}.png", picture(1000 * place + number)) for number in range(each)]
        for place, label in enumerate(classes)
    }
