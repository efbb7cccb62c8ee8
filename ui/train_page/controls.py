"""One control per kind of setting, drawn from the table of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import streamlit as st

from tl_core.config import SETTINGS, Setting
from tl_core.config.setting import Control
from tl_core.config.training import LEARNING_RATE_RANGE
from tl_core.storage.format import scientific
from ui.state.training_draft import draft, save_from_control, show_in_control

_UNITS_PATTERN: Final = r"^\s*(\d{1,4}(\s*[,;\s]\s*\d{1,4}){0,3})?[,;\s]*$"
Number = TypeVar("Number", int, float)
Frame = dict[str, Any]  # what every control is given

STEPS: Final = (1, 2, 5)  # of each power of ten: even distances on a log scale
_MOST_BUTTONS: Final = 4  # more choices than this go into a drop-down list


def control(path: str, *, disabled: bool = False) -> None:
    """Draw the control of the setting ``path`` with the value of the draft."""
    setting = SETTINGS[path]
    value = draft().values[path]
    show_in_control(setting, value)
    frame = {
        "key": setting.key,
        "help": setting.help,
        "disabled": disabled,
        "on_change": save_from_control,
        "args": (setting,),
    }
    _CONTROLS[setting.control](setting, setting.label, value, frame)


def _choice(setting: Setting, label: str, _value: Any, frame: Frame) -> None:
    options = list(setting.choices)
    if len(options) > _MOST_BUTTONS:
        st.selectbox(label, options, format_func=setting.choices.__getitem__, **frame)
    else:
        st.radio(label, options, format_func=setting.choices.__getitem__, horizontal=True, **frame)


def _flag(_setting: Setting, label: str, _value: Any, frame: Frame) -> None:
    st.toggle(label, **frame)


def _slider(setting: Setting, label: str, value: Any, frame: Frame) -> None:
    # A slider insists that all its numbers are of one type.
    kind = float if setting.step < 1 else int
    if not isinstance(value, kind):
        show_in_control(setting, kind(value))
    shown = "%.2f" if kind is float else "%d"
    st.slider(label, *_range(setting, kind), step=kind(setting.step), format=shown, **frame)


def _whole(setting: Setting, label: str, value: Any, frame: Frame) -> None:
    # Without limits of its own: the browser would keep a number beyond them to itself, and the plan and the Start
    # button would go on from the last one. With None as the value an emptied field is told from one with the least.
    st.number_input(label, value=None, step=1, format="%d", **frame)
    low, high = _range(setting, int)
    if not low <= value <= high:
        st.markdown(f":small[:red[:material/error: A whole number between {low:,} and {high:,}.]]")


def _range(setting: Setting, kind: type[Number]) -> tuple[Number, Number]:
    assert setting.high is not None  # noqa: S101  # of a number
    return kind(0 if setting.optional else setting.low), kind(setting.high)


def _rate(_setting: Setting, label: str, value: Any, frame: Frame) -> None:
    st.select_slider(label, rate_options(value), format_func=scientific, **frame)


def rate_options(*current: float) -> list[float]:
    """Rates from the smallest to the largest allowed, three per power of ten, and the ``current`` ones."""
    low, high = LEARNING_RATE_RANGE
    grid = (float(f"{step}e{power}") for power in range(-7, 1) for step in STEPS)
    return sorted({rate for rate in grid if low <= rate <= high} | set(current))


def _scale(setting: Setting, label: str, value: Any, frame: Frame) -> None:
    st.select_slider(label, sorted({*setting.options, value}), format_func=scientific, **frame)


def _units(_setting: Setting, label: str, _value: Any, frame: Frame) -> None:
    sentence = "Whole numbers with commas between them, at most four: 256, 128"
    st.text_input(label, placeholder="none", validate=(_UNITS_PATTERN, sentence), **frame)


_CONTROLS: Final[Mapping[Control, Callable[[Setting, str, Any, Frame], None]]] = {
    "choice": _choice,
    "flag": _flag,
    "share": _slider,
    "degrees": _slider,
    "whole": _whole,
    "rate": _rate,
    "scale": _scale,
    "units": _units,
}
