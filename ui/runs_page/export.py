"""Exporting a model: a format, its proof, its download; and the run as a program."""

from __future__ import annotations

import io
import json
import math
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.backbones.registry import BACKBONES
from tl_core.errors import ModelUnavailableError
from tl_core.export.program import as_notebook, as_script, write_program
from tl_core.machine.progress import TaskContext
from tl_core.runs import RunRecord
from tl_core.runs.progress import trained_config
from tl_core.storage.format import count, percent, scientific, size
from ui.components.downloads import download
from ui.components.task_progress import task_progress
from ui.state.background_tasks import BackgroundTasks
from ui.state.config_text import to_text

if TYPE_CHECKING:
    from tl_core.export.exporting import Export
    from tl_core.export.formats import ExportFormat

_README: Final = """\
{name}

best.keras     the model, for Keras 3: keras.models.load_model("best.keras")
labels.json    its class names
settings.json  what it was trained with

The model takes a batch of RGB images with values 0-255 as they are in the file, shape (n, {size}, {size}, 3):
{fit} of each image made so large; the scaling that the backbone needs is inside.
{output}
{refusals}"""
_REFUSALS: Final = """
best.keras alone answers every picture: that a picture is "unlike anything it was taught", and "I don't know", are not
in it. Export the model in the dashboard (Keras, for example) to have both, with a program that uses them.
"""
_FITS: Final = {
    "squeeze": "the whole, squeezed,",
    "border": "the whole, with a border of the colour 124, 116, 104,",
    "crop": "the middle",
}
_OUTPUTS: Final = {
    "softmax": "It gives one probability per class, shape (n, {classes}), in the order of labels.json.",
    "sigmoid": "It gives one number per image, shape (n, 1): the probability of the second class in labels.json.",
}

CLOSE: Final = 1e-7  # a difference below this is rounding
PRACTICALLY: Final = 1e-4  # a difference that no figure on a page would show

EXPORTS: Final = BackgroundTasks[None](  # titled by their format; the file is in the run's folder
    "export",
    at_a_time=1,  # each holds a model or two in memory
    remembered=50,
    unexpected="The export ended because of an unexpected error; nothing of it was kept. The log has more.",
)


def take_elsewhere(run: RunRecord, key: str) -> None:
    """Draw the formats that the model of a run that has ended can be taken in."""
    from tl_core.export.exporting import list_exports
    from tl_core.export.formats import FORMATS, missing_packages

    kept = list_exports(run)
    task = EXPORTS.latest(str(run.path))
    st.caption(
        "The model as one file for another program, phone or language. It is ready to download once it gives the "
        "same answers as here."
    )
    name = st.radio(
        "Format",
        list(FORMATS),
        format_func=lambda name: FORMATS[name].title,  # never another text: the choice would be lost
        captions=[
            _mark(name in kept and kept[name].proof.passed, missing_packages(form)) + form.purpose
            for name, form in FORMATS.items()
        ],
        index=list(FORMATS).index(task.title) if task else 0,
        disabled=task is not None and not task.ended,
        key=f"{key}-format",
        help="With each come the class names, a program of few lines that uses the file, and a model card.",
    )
    form = FORMATS[name]
    if task is not None and not task.ended:
        task_progress(EXPORTS, task, key)
    elif name in kept:
        _outcome(run, form, kept[name], key)
    elif missing_packages(form):
        st.info(form.install, icon=":material/extension:")
    else:
        if task is not None and task.title == form.name and task.error:
            task_progress(EXPORTS, task, key)
        _make_button("Create and check", run, key)


def _mark(made: bool, missing: Sequence[str]) -> str:
    """What stands before the purpose of a format: that it is made already, or cannot be made yet."""
    if made:
        return ":green[:material/check:] "
    return f":orange[:material/extension: Needs {count(len(missing), 'more package')}.] " if missing else ""


def pack_model(run: RunRecord) -> bytes:
    """Zip ``best.keras`` with ``labels.json``, ``settings.json`` and a ``README.txt``, also while the run goes on.

    The model file is opened once, so what is packed is one whole model, also while a training replaces it.

    Raises:
        ModelUnavailableError: the run has no model.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # a .keras file is a zip already
        try:
            with run.folder.model_file.open("rb") as model, archive.open("best.keras", "w") as entry:
                shutil.copyfileobj(model, entry, 1 << 20)
        except FileNotFoundError:
            raise ModelUnavailableError(f"“{run.name}” has no model to download.") from None
        archive.writestr("labels.json", json.dumps(run.classes, ensure_ascii=False, indent=2))
        archive.writestr("settings.json", to_text(run.config))
        backbone = BACKBONES.get(run.config.backbone)
        image_size = run.config.image_size or (backbone.image_size if backbone else "?")
        output = _OUTPUTS[run.config.head.output].format(classes=len(run.classes))
        fit = _FITS[run.config.fit]
        readme = _README.format(name=run.name, size=image_size, fit=fit, output=output, refusals=_REFUSALS)
        archive.writestr("README.txt", readme)
    return packed.getvalue()


def code_of_run(run: RunRecord, key: str) -> None:
    """Draw the downloads of the run's configuration as a program.

    Raises:
        ConfigError: the backbone of the run is not known any more.
    """
    st.caption(
        "Every setting of this run as commented Keras code that needs nothing of this dashboard. Give it the folder "
        "of your images, one folder per class in train, validation and test."
    )
    cells = write_program(trained_config(run), run.classes, run.decoding, run.members)
    name = run.short_id
    with st.container(horizontal=True):
        download(
            "Python script", as_script(cells, run.name), f"{name}.py", key=f"{key}-script", icon=":material/code:"
        )
        download(
            "Notebook",
            as_notebook(cells, run.name),
            f"{name}.ipynb",
            key=f"{key}-notebook",
            icon=":material/book:",
            help="For Jupyter, Colab or VS Code.",
        )


def format_proof(export: Export) -> str:
    """The result of the check."""
    proof = export.proof
    same = (
        "its answers are identical"
        if proof.max_difference < CLOSE
        else "its answers are practically identical"
        if proof.max_difference < PRACTICALLY
        else f"its probabilities are within {_rounded_up(proof.max_difference)} of those here"
    )
    here = ", as here" if proof.accuracy == proof.app_accuracy else f" (here {percent(proof.app_accuracy)})"
    images = count(proof.images, "validation image")
    right = f"{percent(proof.accuracy)} of its answers are right{here}"
    return f"Checked: loaded again and asked about {images}, {same}; {right}."


def _rounded_up(difference: float) -> str:
    """With one digit, such as ``3 × 10⁻⁵``."""
    step = 10.0 ** math.floor(math.log10(difference))
    return scientific(float(f"{math.ceil(difference / step) * step:.1g}"))


def _outcome(run: RunRecord, form: ExportFormat, export: Export, key: str) -> None:
    if export.proof.failure:
        st.warning(export.proof.failure, icon=":material/block:")
        _make_button("Create it again", run, key)
        return
    st.success(format_proof(export), icon=":material/verified:")
    download(
        f"Download {form.title} ({size(export.size, digits=1)})",
        export.path.read_bytes,  # read on demand
        export.file_name,
        key=f"{key}-{form.name}-download",
        kind="primary",
        help=f"A zip with {form.page and f'{form.page}, '}{form.model}, labels.txt, predict.py and a model card.",
    )
    if form.page:
        download(
            "Download the page alone",
            lambda: read_page(export.path, form.page),
            f"{run.short_id}.html",
            key=f"{key}-{form.name}-page",
            icon=":material/web:",
            help="One file to hand on: whoever opens it in a browser has the model, without installing anything.",
        )


def read_page(archive: Path, page: str) -> bytes:
    """The page in the zip of an export."""
    with zipfile.ZipFile(archive) as packed:
        return packed.read(page)


def _make_button(label: str, run: RunRecord, key: str) -> None:
    st.button(
        label,
        key=f"{key}-make",
        icon=":material/verified:",
        on_click=_start_chosen,
        args=(run.path, key),
        help="Takes half a minute or so. The file is built, loaded again and asked about validation images.",
    )


def _start_chosen(run_path: Path, key: str) -> None:
    # Who presses at once after choosing presses the button that was drawn for the format chosen before.
    format_name = st.session_state[f"{key}-format"]

    def work(context: TaskContext) -> None:
        from tl_core.export.exporting import export_run  # imports scikit-learn and TensorFlow's converters

        export_run(run_path, format_name, context)

    EXPORTS.start(format_name, work, str(run_path), alone=True)
