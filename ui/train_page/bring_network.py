"""Bringing a network from elsewhere: an address or a file becomes a choice among the backbones."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.backbones.networks import SCALINGS, Network
from tl_core.backbones.outline import load_outline
from tl_core.data.imports.sources import data_root, resolve_typed
from tl_core.errors import DataError
from tl_core.imported_models.networks.addresses import is_address, no_such_preset
from tl_core.imported_models.networks.bringing import Wishes, bring_network
from tl_core.machine.progress import TaskContext
from tl_core.runs import find_run, list_runs
from tl_core.storage.format import large_count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.run_format import unique_labels
from ui.components.task_progress import task_progress
from ui.shell.access.protection import for_this_machine_alone
from ui.state.background_tasks import BackgroundTasks
from ui.state.training_draft import draft

NETWORKS: Final = BackgroundTasks[Network](
    "network",
    at_a_time=1,  # each takes some GB of memory while it is opened
    remembered=20,
    unexpected="The network could not be brought because of an unexpected error; the log has the details.",
    unit="step",
)
FILES: Final = ["gz", "tgz", "tar", "keras"]
EXAMPLE: Final = "google/mobilenet-v2/tensorFlow2/100-224-feature-vector"
_NOTHING: Final = 1e-5  # of the largest feature, which float32 cannot tell
_AS_IT_SAYS: Final = "As it says itself"
_TASK_KEY: Final = "train_network_task"
_ADDRESS_KEY: Final = "train_network_address"
_FILE_KEY: Final = "train_network_file"
_RUN_KEY: Final = "train_network_run"
_RANGE_KEY: Final = "train_network_range"


def bring_network_section(workspace: Workspace) -> None:
    """The folded form, and how the last one of this tab was brought."""
    task = NETWORKS.find(st.session_state.get(_TASK_KEY))
    folded = st.expander(
        "Bring your own network", icon=":material/add_link:", key="train_bring_network", on_change="rerun"
    )
    if not folded.open and task is None:
        return
    with folded:
        if task is not None and not task.ended:
            st.markdown(f"**Adding {plain(task.title)}**")
            task_progress(NETWORKS, task, task.id)
            return
        if task is not None and task.result is not None:  # where its progress was
            _found(task.result)
        _form(workspace)
        if task is not None:
            task_progress(NETWORKS, task, task.id)  # why there is none, beside the button


def _form(workspace: Workspace) -> None:
    st.caption(
        "Train on top of a network from TF Hub or Kaggle Models (a *feature vector*), of a preset of KerasHub (ViT, "
        "DINOv2, SigLIP, ResNet, …), of a Keras model of your own, or of what an earlier run has learned. It is "
        "checked for safety first; then it is in the list of backbones."
    )
    st.text_input(
        "Address",
        key=_ADDRESS_KEY,
        placeholder=EXAMPLE,
        help="As the page of the network shows it. Presets of KerasHub: their name (`resnet_50_imagenet`), "
        f"`kaggle://keras/resnetv1/keras/resnet_50_imagenet`, or `hf://owner/name`.{_paths()}",
    )
    st.file_uploader(
        "Or a file",
        type=FILES,
        key=_FILE_KEY,
        help="A tar.gz with a SavedModel or a KerasHub preset, or a .keras file of a classifier.",
    )
    oldest_first = reversed([run for run in list_runs(workspace) if run.has_model and not run.active])
    runs = unique_labels((run.id, run.name) for run in oldest_first)
    st.selectbox(
        "Or go on from a run",
        list(runs),
        index=None,
        format_func=runs.__getitem__,
        placeholder="What yesterday's model has learned",
        key=_RUN_KEY,
        help="Takes its backbone as it was trained, fine-tuned layers included, as the start of a new training.",
    )
    st.selectbox(
        "Its images are",
        [_AS_IT_SAYS, *SCALINGS],
        key=_RANGE_KEY,
        help="The range of numbers in which it takes a picture. Feature vectors of TF Hub take 0 to 1. Choose one "
        "for a model whose images were scaled outside of it.",
    )
    given = bool(
        st.session_state.get(_FILE_KEY)
        or st.session_state.get(_RUN_KEY)
        or (st.session_state.get(_ADDRESS_KEY) or "").strip()
    )
    st.button(
        "Add it",
        icon=":material/download:",
        disabled=not given,
        on_click=_begin,
        args=(workspace,),
        key="train_bring",
    )


def _paths() -> str:
    """Which paths may be named, for the help of the field."""
    if for_this_machine_alone():
        return " A file or folder on this machine works too."
    return " So does a folder of the server, below the one that its operator has opened." if data_root() else ""


def _begin(workspace: Workspace) -> None:
    wishes = Wishes(scaling=SCALINGS.get(st.session_state[_RANGE_KEY], ""))
    file = st.session_state.get(_FILE_KEY)
    address = (st.session_state.get(_ADDRESS_KEY) or "").strip()
    if file is not None:
        title, work = file.name, partial(_from_upload, workspace, file, wishes)
    elif run_id := st.session_state.get(_RUN_KEY):
        run = find_run(workspace, run_id)
        wishes = replace(wishes, title=run.name)
        title, work = run.name, partial(bring_network, workspace, run.folder.model_file, wishes)
    else:
        title, work = address, partial(_from_address, workspace, address, wishes)
    st.session_state[_TASK_KEY] = NETWORKS.start(title, work, str(workspace.root))


def _from_address(workspace: Workspace, address: str, wishes: Wishes, task: TaskContext) -> Network:
    return bring_network(workspace, _named(address), wishes, task)


def _named(typed: str) -> str | Path:
    """An address as it is. A path too, for the people at this machine; others name what the operator has opened, and
    learn nothing about the rest.

    Raises:
        ModelFileError: it is no path, and may have been meant as a preset.
        DataError: it is no path that is open.
    """
    if is_address(typed) or for_this_machine_alone():
        return typed
    try:
        return resolve_typed(data_root(), typed)
    except DataError as error:
        raise no_such_preset(typed) or error from None


def _from_upload(workspace: Workspace, file: UploadedFile, wishes: Wishes, task: TaskContext) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(file.name).name
        path.write_bytes(file.getbuffer())
        return bring_network(workspace, path, wishes, task)


def _found(network: Network) -> None:
    height, width, channels = network.feature_shape
    scale = next(name for name, scaling in SCALINGS.items() if scaling == network.scaling)
    size = f"{network.image_size} x {network.image_size} pixels{' (or any other size)' if network.any_size else ''}"
    facts = [
        f"takes images of {size}, of numbers from {scale}",
        f"gives {channels:,} features at {height} x {width} places{_about_tokens(network)}",
        f"{large_count(network.parameters)} parameters in {len(load_outline(network.id).layers)} layers",
    ]
    if network.trainable_variables:
        facts.append(f"{network.trainable_variables:,} trainable variables")
    if network.difference:
        apart = f"to {100 * network.difference:.1g} %" if network.difference > _NOTHING else "but for rounding"
        facts.append(f"its layers say what the original says, {apart}")
    st.success(f"**{plain(network.title)}** is one of the backbones now.", icon=":material/check_circle:")
    st.markdown("\n".join(f"- {fact}" for fact in facts))
    if draft().values["backbone"] == network.id:
        st.caption("It is the backbone of this form.")
    else:
        st.button("Use it", icon=":material/check:", key="train_network_use", on_click=_use, args=(network.id,))


def _about_tokens(network: Network) -> str:
    height, width, _ = network.feature_shape
    if not network.tokens:
        return ""
    others = network.tokens - height * width
    left_out = f", without {others} that {'stands' if others == 1 else 'stand'} for no place" if others else ""
    return f" ({network.tokens:,} tokens{left_out})"


def _use(name: str) -> None:
    draft().choose_backbone(name)
