"""What has been chosen so far in this browser tab.

Streamlit forgets a widget's value as soon as another page is shown. So the draft is the truth: each control is
set from it before it is drawn, and writes into it when somebody changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.config import Setting, TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.errors import ConfigError
from ui.state.current import choose_dataset
from ui.state.form_values import FormValues, config_of, form_values
from ui.state.tab_memory import keep_in_tab, kept_in_tab

_KEY: Final = "train_draft"


@dataclass(slots=True)
class Draft:
    """The values of all controls, and the dataset; lives in the session."""

    values: FormValues = field(default_factory=lambda: form_values(PRESETS[DEFAULT_PRESET].config))
    dataset_id: str | None = None
    parent: str | None = None  # id of the run whose settings were taken over, while they are being changed
    image: int = 0  # which training image the augmentation preview shows
    views: int = 0  # seed of its nine views

    @property
    def outline(self) -> BackboneOutline:
        """The structure of the chosen backbone."""
        return load_outline(self.values["backbone"])

    @property
    def frozen_layers(self) -> int:
        """How many layers are frozen, with *all* as their number."""
        layers = len(self.outline.layers)
        frozen = self.values["frozen_layers"]
        return layers if frozen is None else min(frozen, layers)

    def config(self) -> TrainingConfig:
        """The configuration as it stands.

        Raises:
            ConfigError: a value cannot be read or is out of range.
        """
        return config_of(self.values)

    def fill(self, config: TrainingConfig, dataset_id: str | None = None, *, parent: str | None = None) -> None:
        """Set every control to ``config``; choose the dataset where there is one, whether or not it still exists.

        ``parent`` is the run whose settings these are, or were before they were changed.

        Raises:
            ConfigError: there is no such backbone, or it has fewer layers than are to be frozen.
        """
        backbone = get_backbone(config.backbone)
        layers = len(load_outline(backbone.name).layers)
        if config.frozen_layers is not None and config.frozen_layers > layers:
            raise ConfigError(
                f"{backbone.title} has {layers} layers, so at most {layers} can be frozen. "
                f"Received: {config.frozen_layers}."
            )
        self.parent = parent
        self.update(form_values(config))
        if dataset_id is not None:
            self.dataset_id = dataset_id
            choose_dataset(dataset_id)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set some controls; from now on the draft outlives a reload of the page."""
        self.values = {**self.values, **changes}
        keep_in_tab(_KEY, self)

    def choose_backbone(self, name: str) -> None:
        """Take another backbone and freeze as much of it as was frozen of the last one."""
        frozen = _same_depth(self.outline, self.frozen_layers, load_outline(name))
        changes: dict[str, Any] = {"backbone": name, "frozen_layers": frozen}
        size = self.values["image_size"]
        if size is not None and size < get_backbone(name).min_image_size:
            changes["image_size"] = None
        self.update(changes)

    def freeze(self, layers: int) -> None:
        """Freeze the first ``layers`` layers."""
        self.update({"frozen_layers": None if layers >= len(self.outline.layers) else layers})


def draft() -> Draft:
    """The draft of this browser tab."""
    kept: Draft | None = kept_in_tab(_KEY)
    if kept is not None:
        return kept
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Draft()
    current: Draft = st.session_state[_KEY]
    return current


def has_draft() -> bool:
    """Whether anything has been chosen in this browser tab."""
    return _KEY in st.session_state or kept_in_tab(_KEY) is not None


def show_in_control(setting: Setting, value: Any) -> None:
    """Put ``value`` into the control of ``setting``, before it is drawn.

    Every time, also where nothing has changed: the browser is told a value only in the run in which it is put, and if
    that run is cut short before the browser has drawn the control, it would show, and send, the lowest value.
    """
    st.session_state[setting.key] = value


def save_from_control(setting: Setting) -> None:
    """Store a value that was just entered; an emptied control keeps its last value."""
    value = st.session_state[setting.key]
    if value is not None:
        draft().update({setting.path: value})


def _same_depth(old: BackboneOutline, frozen: int, new: BackboneOutline) -> int | None:
    """The cut of ``new`` that stands where ``frozen`` stood in ``old``.

    A cut that has a name (all, half, ...) keeps it; another takes the same share of the layers, between two blocks
    if it stood between two.
    """
    layers = len(new.layers)
    name = next((name for name, count in old.presets().items() if count == frozen), None)
    count = new.presets()[name] if name else round(frozen / len(old.layers) * layers)
    if not name and frozen in {block.first for block in old.blocks}:
        count = min((block.first for block in new.blocks), key=lambda first: abs(first - count))
    return None if count >= layers else count
