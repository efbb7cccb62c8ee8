"""The rules that keep the code readable: imports go down the layers, and heavy packages stay where they belong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# The longest prefix that fits names the layer.
LAYERS = {
    "tl_core": 0,
    "tl_core.errors": 0,
    "tl_core.files": 0,
    "tl_core.workspace": 0,
    "tl_core.quota": 0,
    "tl_core.passcode": 0,
    "tl_core.sharing": 0,
    "tl_core.child_process": 0,
    "tl_core.config": 0,
    "tl_core.backbones": 2,
    "tl_core.backbones.record": 0,
    "tl_core.backbones.registry": 0,
    "tl_core.backbones.families": 0,
    "tl_core.backbones.feature_size": 0,
    "tl_core.backbones.outline": 1,
    "tl_core.backbones.weights": 1,
    "tl_core.brought": 1,
    "tl_core.brought.answering": 2,
    "tl_core.brought.child": 2,
    "tl_core.data": 1,
    "tl_core.runs": 1,
    "tl_core.jobs": 1,
    "tl_core.figures": 1,
    "tl_core.coach": 1,
    "tl_core.settings": 1,
    "tl_core.comparison": 1,
    "tl_core.confidence": 1,
    "tl_core.pinned": 1,
    "tl_core.kept_epochs": 1,
    "tl_core.hardware": 1,
    "tl_core.doctor": 1,
    "tl_core.image_order": 1,
    "tl_core.plan": 1,
    "tl_core.priority": 1,
    "tl_core.models": 2,
    "tl_core.engine": 2,
    "tl_core.engine.disk_cache": 1,
    "tl_core.engine.image_store": 1,
    "tl_core.training": 2,
    "tl_core.evaluation": 2,
    "tl_core.report": 2,
    "tl_core.class_curves": 2,
    "tl_core.explanation": 2,
    "tl_core.export": 2,
    "tl_core.codegen": 1,
    "tl_core.neighbours": 2,
    "tl_core.prediction": 2,
    "tl_core.device": 2,
    "tl_core.command_line": 3,
    "tl_core.__main__": 3,
}
# Doors upwards, each inside a function: the queue starts a training only when one really begins.
LAZY_DOORS = {("tl_core.jobs.manager", "tl_core.training")}

HEAVY = {"tensorflow", "keras", "openvino", "sklearn", "skimage"}
FORBIDDEN_WORDS = (
    r"\bpickle\.loads?\(",
    r"safe_mode\s*=\s*False",
    r"enable_unsafe_deserialization",
    r"(?<![\w.])eval\(",
    r"clear_session\(",
    r"extractall\(",
    r"\bh5py\b",
    r"load_model\([^)]*(h5|hdf5)",
    r"legacy_h5",
    r"\bjoblib\.load\(",
    r"allow_pickle\s*=\s*True",
    r"\byaml\.load\(",
    r"(?<![\w.])exec\(",
    r"shell\s*=\s*True",
    r"MAX_IMAGE_PIXELS\s*=\s*None",
    r"LOAD_TRUNCATED_IMAGES\s*=\s*True",
    r"add_script_run_ctx",
    r"unsafe_allow_html\s*=\s*True",
)
# In the process that opens a model from a file, and nowhere else, its weights are looked at before Keras reads them.
ALLOWED_WORDS = {"tl_core.brought.weights": {r"\bh5py\b"}}


@dataclass(frozen=True)
class Import:
    module: str
    imported: str
    at_top: bool


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(child) for node in ast.walk(tree) if _is_type_checking(node) for child in ast.walk(node)}
    inner = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        for imported in _imported(node):
            yield Import(module_name(path), imported, id(node) not in inner)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        assert node.level == 0, "imports are absolute, so that a reader sees where a name comes from"
        submodules = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name if _exists(name) else node.module for name in submodules)


def _exists(module: str) -> bool:
    path = REPOSITORY / Path(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def layer_of(module: str) -> int:
    fitting = [prefix for prefix in LAYERS if module == prefix or module.startswith(f"{prefix}.")]
    return LAYERS[max(fitting, key=len)]


def is_door(found: Import) -> bool:
    return not found.at_top and any(
        found.module == module and found.imported.startswith(target) for module, target in LAZY_DOORS
    )


@pytest.mark.parametrize("path", python_files("tl_core"), ids=module_name)
def test_imports_go_down_the_layers(path: Path):
    wrong = [
        found.imported
        for found in imports_of(path)
        if found.imported.startswith("tl_core")
        and layer_of(found.imported) > layer_of(found.module)
        and not is_door(found)
    ]
    assert wrong == []


def test_every_module_of_the_core_has_a_layer_of_its_own():
    rooms = {module_name(path) for path in (REPOSITORY / "tl_core").iterdir() if path.suffix == ".py"}
    rooms |= {f"tl_core.{path.parent.name}" for path in (REPOSITORY / "tl_core").glob("*/__init__.py")}
    assert rooms <= LAYERS.keys()


@pytest.mark.parametrize("path", python_files("tl_core"), ids=module_name)
def test_the_core_knows_nothing_of_the_user_interface(path: Path):
    assert not {found.imported for found in imports_of(path)} & {"streamlit", "ui", "pages"}
    assert not [found for found in imports_of(path) if found.imported.startswith(("streamlit.", "ui."))]


@pytest.mark.parametrize("path", python_files("tl_core"), ids=module_name)
def test_heavy_packages_are_imported_at_the_top_only_above_layer_one(path: Path):
    heavy = [found for found in imports_of(path) if found.imported.split(".")[0] in HEAVY and found.at_top]
    assert not heavy or layer_of(module_name(path)) >= 2


@pytest.mark.parametrize("path", [REPOSITORY / "app.py", *python_files("pages", "ui")], ids=module_name)
def test_the_user_interface_never_imports_a_heavy_package(path: Path):
    for found in imports_of(path):
        assert found.imported.split(".")[0] not in HEAVY
        if found.at_top and found.imported.startswith("tl_core"):
            assert layer_of(found.imported) <= 1, f"{found.imported} brings TensorFlow; import it inside a function"


def test_the_light_layers_really_leave_tensorflow_out():
    light = [module_name(path) for path in python_files("tl_core") if layer_of(module_name(path)) <= 1]
    load = f"import sys, importlib\nfor name in {light!r}: importlib.import_module(name)"
    code = f"{load}\nprint(sorted(set(sys.modules) & {HEAVY!r}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


STARTS_THREADS = re.compile(r"\b(threading\.Thread|ThreadPoolExecutor)\(")


def test_what_works_in_a_thread_of_its_own_never_speaks_to_streamlit():
    sources = [path for path in python_files("ui", "pages") if STARTS_THREADS.search(path.read_text("utf-8"))]
    assert sources
    for path in sources:
        assert not [found.imported for found in imports_of(path) if found.imported.startswith("streamlit")], path


@pytest.mark.parametrize("path", python_files("tl_core", "ui", "pages", "benchmarks"), ids=module_name)
def test_nothing_unsafe_or_vague(path: Path):
    assert not {"utils", "helpers", "common", "misc"} & set(path.relative_to(REPOSITORY).with_suffix("").parts)
    text = path.read_text(encoding="utf-8")
    found = {pattern for pattern in FORBIDDEN_WORDS if re.search(pattern, text)}
    assert found == ALLOWED_WORDS.get(module_name(path), set())


@pytest.mark.parametrize("folder", ["tl_core", "ui"])
def test_no_group_of_modules_imports_itself_in_a_circle(folder: str):
    graph: dict[str, set[str]] = {}
    for path in python_files(folder):
        found = {entry.imported for entry in imports_of(path) if entry.at_top and entry.imported.startswith(folder)}
        graph[module_name(path)] = found - {module_name(path)}
    assert _circle(graph) is None


def _circle(graph: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str] | None:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph.get(module, ())):
            if found := visit(target, [*trail, module]):
                return found
        done.add(module)
        return None

    return next((found for module in graph if (found := visit(module, []))), None)
