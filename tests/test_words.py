"""A name that was replaced by the field's own term does not come back, as an identifier, an alias or a module."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import REPOSITORY, module_name, python_files

# By subject, with the term that is used now.
RETIRED = {
    "Trainer": "Course",
    "TrainerState": "PhaseState",
    "PhaseData, prepare_phase": "Stage build_stage",
    "CachedFeatures, LiveImages": "ArrayFeed ImageFeed",
    "InMemoryLoop, StreamingLoop": "Passes ResidentPasses StreamedPasses",
    "EpochRunner, Subset, Loss": "Fitter Examples Objective",
    "LastEpochsCheckpoint, EpochCheckpoint": "EpochKeeper KeptEpoch kept_epochs keep_epoch keep_list bytes_to_keep",
    "BackbonePool.acquire, release": "keep_backbone take_backbone give_back",
    "watched_images": """
        PinnedPicture Pinned pinned_pictures pinned_folder keep_pins keep_draft draft_pins pin_upload pin_of_dataset
        pinned_payload pinned_charts choose_pinned Pin MAX_PINNED""",
    "imported_model": """
        BroughtModel BroughtProcess list_brought forget_brought load_brought bring_model close_brought open_brought
        pick_brought brought_answers_to just_brought bring_images bring_section""",
    "save_*": "keep_record keep_probabilities keep_confidence keep_speed keep_from_control",
    "grad_cam, heatmap": "Explanation Explainer open_explainer where_it_looked",
    "similarity, nearest_neighbours": "likeness looked_like",
    "compute_features, FeatureJob": "run_trunk TrunkRun",
    "calibration, wilson_interval": """
        Confidence load_confidence confidence_of confidence_file likely_range with_temperature""",
    "rejection, risk_coverage_curve": """
        Coverage coverage_curve coverage_figure describe_coverage doubt_section kept_words""",
    "HangDetector, is_hung": "Silence hangs",
    "recovery": "keep_room say_last with_its_model",
    "EventLog": "EventWriter",
    "pack_model": "bundle_model bundle_name",
    "curve_advice": "coaching",
    "format_*": """
        settings_in_words knows_in_words duration_in_words answers_in_words size_in_words epoch_in_words
        agreement_in_words proof_in_words heat_in_words answer_in_words frozen_words rates_words status_words
        model_words""",
    "list_exports, cache_section": "kept_exports kept_for_speed",
    "hold_open, start_server_log, protect_keras_state": "keep_open keep_log keep_keras_state",
    "inspect_file, InspectedFile": "look_at Looked",
    "warn_about_dead_link": "say_if_link_leads_nowhere",
    "TaskContext, UNATTENDED": "no_progress ignore_progress",
}
RETIRED_NAMES = frozenset(name for names in RETIRED.values() for name in names.split())

_MODULES = """
tl_core.brought tl_core.coach tl_core.codegen tl_core.comparison tl_core.confidence tl_core.child_process
tl_core.class_curves tl_core.device tl_core.doctor tl_core.engine tl_core.explanation tl_core.files tl_core.hardware
tl_core.image_order tl_core.kept_epochs tl_core.neighbours tl_core.passcode tl_core.pinned tl_core.plan
tl_core.prediction tl_core.priority tl_core.quota tl_core.report tl_core.settings tl_core.sharing tl_core.workspace
tl_core.runs.last_words tl_core.runs.leftovers tl_core.runs.events tl_core.backbones.spare
tl_core.training.calibration tl_core.training.checkpoint tl_core.training.course tl_core.training.feeds
tl_core.training.fitter tl_core.training.keeping tl_core.training.passes tl_core.training.preparation
tl_core.training.reporter tl_core.training.session tl_core.training.stage tl_core.training.watched ui.access
ui.activity ui.background_tasks ui.block_map ui.brought ui.closed_tabs ui.coaching ui.datasets ui.errors
ui.evaluation ui.first_steps ui.live_camera ui.live_chart ui.machine_load ui.navigation ui.page ui.pinned
ui.prediction ui.run_feed ui.run_panel ui.runs ui.script_cleanup ui.scrolling ui.server_log ui.sharing
ui.task_progress ui.training_form ui.words
"""
RETIRED_MODULES = frozenset(_MODULES.split())
MODULE = re.compile(r"(?<![\w./])(?:tl_core|ui)(?:[./]\w+)+")

APPLICATION = [REPOSITORY / "app.py", *python_files("tl_core", "ui", "pages")]
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def identifiers_in(text: str) -> set[str]:
    """Every name of a source, and every text in it that has the form of a name, such as an entry of ``__all__``."""
    names = {
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.NAME
    }
    texts = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return names | {value for value in texts if "_" in value and value.isidentifier()}


def modules_in(text: str) -> set[str]:
    """Every module that a text names, with its packages, as ``tl_core.runs.store`` or as a path."""
    found = {re.sub(r"\.py$", "", name).replace("/", ".") for name in MODULE.findall(text)}
    return {".".join(parts[:end]) for name in found if (parts := name.split(".")) for end in range(1, len(parts) + 1)}


def test_no_retired_name_is_used():
    found = {
        module_name(path): identifiers_in(path.read_text(encoding="utf-8")) & RETIRED_NAMES for path in APPLICATION
    }
    assert {module: names for module, names in found.items() if names} == {}


def test_no_retired_module_is_named():
    texts = {path.relative_to(REPOSITORY): path.read_text(encoding="utf-8") for path in [*APPLICATION, *DOCUMENTS]}
    found = {path: modules_in(text) & RETIRED_MODULES for path, text in texts.items()}
    assert {path: modules for path, modules in found.items() if modules} == {}


def test_no_retired_module_is_there():
    paths = [REPOSITORY.joinpath(*module.split(".")) for module in sorted(RETIRED_MODULES)]
    assert [path.name for path in paths if path.with_suffix(".py").exists() or (path / "__init__.py").exists()] == []


def test_a_retired_name_would_be_noticed():
    assert identifiers_in("from x import y as run_trunk") & RETIRED_NAMES == {"run_trunk"}
    assert identifiers_in('__all__ = ["bring_model"]') & RETIRED_NAMES == {"bring_model"}
    assert "Stage" not in identifiers_in("stage = 1  # Stage")
    assert modules_in("see `tl_core/engine/trunk.py`") & RETIRED_MODULES == {"tl_core.engine"}
    assert modules_in("import ui.words.more") & RETIRED_MODULES == {"ui.words"}


def imports_in_texts(path: Path) -> Iterator[tuple[str, str | None]]:
    """Every module of the product, and name of it, that a program written as a text in a source imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or "import " not in node.value:
            continue
        try:
            program = ast.parse(textwrap.dedent(node.value))
        except SyntaxError:  # a sentence with the word "import"
            continue
        for line in ast.walk(program):
            if isinstance(line, ast.Import):
                yield from ((name.name, None) for name in line.names)
            elif isinstance(line, ast.ImportFrom) and line.module:
                yield from ((line.module, name.name) for name in line.names)


def is_there(module: str, name: str | None) -> bool:
    """Whether a module, or one of its names, can be imported."""
    if importlib.util.find_spec(module) is None:
        return False
    return (
        name is None
        or hasattr(importlib.import_module(module), name)
        or importlib.util.find_spec(f"{module}.{name}") is not None
    )


def test_a_program_that_a_test_starts_imports_what_is_there():
    found = {
        (module_name(path), module, name)
        for path in python_files("tests", "benchmarks")
        if path != Path(__file__)
        for module, name in imports_in_texts(path)
        if module.partition(".")[0] in {"tl_core", "ui"} and not is_there(module, name)
    }
    assert found == set()
    assert not is_there("tl_core", "hardware")
    assert is_there("tl_core.machine", "hardware")
