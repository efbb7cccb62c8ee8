"""What is installed has no flaw that is known to be mended, and is exactly what was tested."""

from __future__ import annotations

import ast
import importlib
import os
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.test_architecture import REPOSITORY, imports_of, module_name, python_files

# The first version in which the advisories that concern us are mended. Keras: CVE-2024-3660, -55459; CVE-2025-1550,
# -8747, -9905, -9906, -12058, -12060, -49655; CVE-2026-0897, -1462, -1669, -9335, -11816, -12479 to -12484, -12570,
# and the later fixes of 3.15.1. Pillow: those of 12.2 and 12.3. Streamlit: CVE-2024-42474, CVE-2026-33682.
MENDED = {"keras": "3.15.1", "pillow": "12.3", "streamlit": "1.67"}

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def requirements() -> dict[str, Requirement]:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {requirement.name.lower(): requirement for requirement in found}


def lock_entries() -> list[str]:
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


@pytest.mark.parametrize("name", MENDED)
def test_no_version_with_a_known_flaw_is_allowed(name: str):
    lower = [Version(bound.version) for bound in requirements()[name].specifier if bound.operator == ">="]
    assert lower
    assert min(lower) >= Version(MENDED[name])


def test_every_requirement_has_a_lower_and_an_upper_bound():
    for requirement in requirements().values():
        assert {bound.operator for bound in requirement.specifier} == {">=", "<"}, requirement.name


def test_the_lock_pins_everything_that_is_required_with_its_hashes():
    entries = lock_entries()
    pinned = {match[1].lower(): match[2] for entry in entries if (match := LOCKED.match(entry))}
    assert len(entries) >= len(pinned) > 50
    for entry in entries:
        assert LOCKED.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    for name, requirement in requirements().items():
        assert pinned[name] in requirement.specifier, name


def test_the_audit_can_be_run():
    script = REPOSITORY / ".ci" / "audit"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "pip-audit" in text
    assert "requirements.lock" in text


OPENS_MODELS = re.compile(r"(^|\.)(load_model|load_weights|model_from_json|deserialize_keras_object)$")
# Our own model, checked by its sha256 before; pretrained weights, checked by the published sum; and, in a process of
# its own that may do nothing but compute, an imported model that has passed the static check.
OPENED_HERE = {
    "tl_core.models.load",
    "tl_core.backbones.build",
    "tl_core.imported_models.sandbox.worker",
    "tl_core.imported_models.networks.opening",
}


@pytest.mark.parametrize("path", python_files("tl_core", "ui", "pages"), ids=module_name)
def test_models_are_opened_in_few_places_alone(path: Path):
    opened = [name for call in calls_in(path) if OPENS_MODELS.search(name := ast.unparse(call.func))]
    assert not opened or module_name(path) in OPENED_HERE


NO_PICTURE = {"h5", "hdf5", "pkl", "pickle", "pt", "pth", "onnx", "npz", "tflite", "py", "html"}
TAKES_MODELS = "ui.predict_page.imported_models"
TAKES_NETWORKS = "ui.train_page.bring_network"
# Run in a process of their own, which may do nothing but compute.
IN_A_SANDBOX = {
    "tl_core.imported_models.sandbox.worker",
    "tl_core.imported_models.networks.opening",
    "tl_core.imported_models.networks.graph_layers",
    "tl_core.imported_models.networks.keras_trunk",
    "tl_core.imported_models.networks.preset_layers",
    "tl_core.imported_models.networks.saved_model",
}


def test_what_can_be_uploaded_is_a_zip_a_picture_or_settings_and_a_model_in_one_place_alone():
    taken = {
        module_name(path): {kind for call in uploads_in(path) for kind in kinds_of(path, call)}
        for path in python_files("ui", "pages")
    }
    assert {"zip", "json"} <= set().union(*taken.values())
    assert not NO_PICTURE & set().union(*taken.values())
    assert {module for module, kinds in taken.items() if "keras" in kinds} == {TAKES_MODELS, TAKES_NETWORKS}


def test_an_uploaded_model_goes_nowhere_but_to_the_check():
    """What takes the upload hands it to the static check; Keras comes in only in the process that opens it."""
    (path,) = [path for path in python_files("ui") if module_name(path) == TAKES_MODELS]
    given = [ast.unparse(call.func) for call in calls_in(path) if "file" in {ast.unparse(word) for word in call.args}]
    assert set(given) == {"_accept", "inspect_file", "import_model"}
    for checked in python_files("tl_core/imported_models"):
        names = {found.imported.split(".")[0] for found in imports_of(checked)}
        assert not {"keras", "tensorflow"} & names or module_name(checked) in IN_A_SANDBOX


def test_every_upload_names_its_file_types():
    for path in python_files("ui", "pages"):
        for call in uploads_in(path):
            assert "type" in {word.arg for word in call.keywords}, path


def uploads_in(path: Path) -> list[ast.Call]:
    return [call for call in calls_in(path) if ast.unparse(call.func).endswith("file_uploader")]


def kinds_of(path: Path, upload: ast.Call) -> list[str]:
    """The kinds of file that an upload field names, by a value in place or by a constant of its module."""
    (value,) = [word.value for word in upload.keywords if word.arg == "type"]
    if isinstance(value, ast.Name):
        found = getattr(importlib.import_module(module_name(path)), value.id)
    else:
        found = ast.literal_eval(value)
    return [found] if isinstance(found, str) else list(found)


def calls_in(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
