from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import script_runner

REPOSITORY = Path(__file__).resolve().parents[3]

# Runs a page with Keras loaded and prints whether the settings of Keras are still there.
PAGE_WITH_KERAS = """
import keras
from streamlit.testing.v1 import AppTest
keras.config.set_dtype_policy("mixed_bfloat16")
page = AppTest.from_string({script!r}).run()
assert not page.exception
print(keras.config.dtype_policy().name)
"""


def policy_after(script: str) -> str:
    code = PAGE_WITH_KERAS.format(script=script)
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return found.stdout.strip().splitlines()[-1]


def test_streamlit_still_has_what_is_switched_off():
    assert callable(script_runner._clean_problem_modules)


@pytest.mark.slow
def test_a_page_leaves_the_state_of_keras_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path))
    assert policy_after("import streamlit as st; st.title('Any page')") == "float32", "the danger is gone"
    page = "from ui.frame.page import page_setup\nwith page_setup('Any page', ':material/home:'): pass"
    assert policy_after(page) == "mixed_bfloat16"
