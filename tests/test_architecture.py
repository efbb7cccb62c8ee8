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

# The architecture in one line per floor: a package imports packages of lower floors only, never one beside it.
CORE_FLOORS = (
    ("errors that a person can meet", {"errors"}),
    ("the workspace on the disk; numbers and times as text", {"storage"}),
    ("the computer: hardware, device, child processes", {"machine"}),
    ("pretrained backbones: records, outlines, weights", {"backbones"}),
    ("what a training is told to do", {"config"}),
    ("datasets and their imports", {"data"}),
    ("runs: record, progress, annotations", {"runs"}),
    ("Keras models; Plotly figures", {"models", "figures"}),
    ("frozen features, computed once; advice on curves", {"features", "advice"}),
    ("a finished model is asked", {"inference"}),
    ("a finished model is measured; a dataset is audited", {"evaluation", "audit"}),
    ("a model is trained; a model is imported", {"training", "imported_models"}),
    ("the queue of trainings; exports", {"jobs", "export"}),
    ("what a training will take", {"planning"}),
    ("a search for the best model", {"search"}),
    ("the command line", {"command_line"}),
    ("``python -m tl_core``", {"__main__"}),
)
UI_FLOORS = (
    ("the frame of every page", {"shell"}),
    ("what a tab and the server remember", {"state"}),
    ("pieces that several pages draw", {"components"}),
    ("what every page has: title, menu, current dataset and model", {"frame"}),
    ("a search, begun and shown on the Train page", {"search_page"}),
    ("one package per page", {"home_page", "data_page", "train_page", "runs_page", "evaluate_page", "predict_page"}),
)
FLOORS = {
    f"{root}.{package}": height
    for root, floors in (("tl_core", CORE_FLOORS), ("ui", UI_FLOORS))
    for height, (_, packages) in enumerate(floors)
    for package in packages
}
MAX_PACKAGES = 20  # of tl_core
MAX_ROOT_MODULES = 3  # of tl_core: __init__, __main__, and what every floor uses, errors
MAX_MODULES = 14  # of a package, its subpackages counted by themselves
MAX_CONFIG_MODULES = 15  # that have a `TrainingConfig` on its way to a saved model
SMALL_MODULE = 40  # lines; with so few a module has several importers, or is where a process begins

HEAVY = {"tensorflow", "keras", "keras_hub", "tf2onnx", "openvino", "sklearn", "skimage"}
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
# Only the process that opens an imported model inspects its weights, before Keras reads them.
ALLOWED_WORDS = {"tl_core.imported_models.check.weights": {r"\bh5py\b"}}


@dataclass(frozen=True)
class Import:
    module: str
    imported: str
    at_top: bool  # and so done when the module is imported
    for_types: bool  # below TYPE_CHECKING, for annotations alone


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {id(child) for node in ast.walk(tree) if _is_type_checking(node) for child in ast.walk(node)}
    inner = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        for imported in _imported(node):
            types = id(node) in for_types
            yield Import(module_name(path), imported, id(node) not in inner and not types, types)


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


def package_of(module: str) -> str:
    """``tl_core.runs`` of ``tl_core.runs.store``."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("path", python_files("tl_core", "ui"), ids=module_name)
def test_imports_go_down_the_floors(path: Path):
    root = path.relative_to(REPOSITORY).parts[0]
    own = package_of(module_name(path))
    wrong = [
        found.imported
        for found in imports_of(path)
        if found.imported.startswith(f"{root}.")
        and package_of(found.imported) != own
        and FLOORS[package_of(found.imported)] >= FLOORS[own]
    ]
    assert wrong == []


@pytest.mark.parametrize("root", ["tl_core", "ui"])
def test_every_package_stands_on_a_floor(root: str):
    folder = REPOSITORY / root
    rooms = {f"{root}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    rooms |= {f"{root}.{path.parent.name}" for path in folder.glob("*/__init__.py")}
    assert rooms == {name for name in FLOORS if name.startswith(f"{root}.")}


def test_the_core_has_few_rooms():
    folder = REPOSITORY / "tl_core"
    assert len(list(folder.glob("*.py"))) <= MAX_ROOT_MODULES
    assert len(list(folder.glob("*/__init__.py"))) <= MAX_PACKAGES


def modules_of(package: Path) -> list[Path]:
    return [path for path in sorted(package.glob("*.py")) if path.stem not in ("__init__", "__main__")]


PACKAGES = [found.parent for root in ("tl_core", "ui") for found in sorted((REPOSITORY / root).rglob("__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: module_name(package / "__init__.py"))
def test_a_package_has_few_modules(package: Path):
    assert len(modules_of(package)) <= MAX_MODULES


def test_a_small_module_has_several_importers():
    importers: dict[str, set[str]] = {}
    for path in [REPOSITORY / "app.py", *python_files("tl_core", "ui", "pages")]:
        for found in imports_of(path):
            importers.setdefault(found.imported, set()).add(module_name(path))
    small = [
        module_name(path)
        for package in PACKAGES
        for path in modules_of(package)
        if len((text := path.read_text("utf-8")).splitlines()) <= SMALL_MODULE and "__main__" not in text
    ]
    assert [name for name in small if len(importers.get(name, ())) < 2] == []


@pytest.mark.parametrize("path", python_files("tl_core"), ids=module_name)
def test_the_core_knows_nothing_of_the_user_interface(path: Path):
    assert not {found.imported for found in imports_of(path)} & {"streamlit", "ui", "pages"}
    assert not [found for found in imports_of(path) if found.imported.startswith(("streamlit.", "ui."))]


def with_parents(module: str) -> set[str]:
    """A module and the packages that Python imports before it."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


def heavy_modules() -> frozenset[str]:
    """Modules of the core whose import brings TensorFlow or another heavy package, directly or through others."""
    imports = {
        module_name(path): {
            name for found in imports_of(path) if found.at_top for name in with_parents(found.imported)
        }
        | with_parents(module_name(path)) - {module_name(path)}
        for path in python_files("tl_core")
    }
    heavy = {module for module, found in imports.items() if {name.split(".")[0] for name in found} & HEAVY}
    while more := {module for module, found in imports.items() if module not in heavy and found & heavy}:
        heavy |= more
    return frozenset(heavy)


HEAVY_MODULES = heavy_modules()


@pytest.mark.parametrize("path", [REPOSITORY / "app.py", *python_files("pages", "ui")], ids=module_name)
def test_the_user_interface_never_imports_a_heavy_package(path: Path):
    for found in imports_of(path):
        assert found.imported.split(".")[0] not in HEAVY
        if found.at_top:
            assert found.imported not in HEAVY_MODULES, f"{found.imported} brings TensorFlow; import it in a function"


def test_the_light_modules_really_leave_tensorflow_out():
    light = sorted({module_name(path) for path in python_files("tl_core")} - HEAVY_MODULES - {"tl_core.__main__"})
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
        found = {entry.imported for entry in imports_of(path) if entry.at_top or entry.for_types}
        graph[module_name(path)] = {name for name in found if name.startswith(folder)} - {module_name(path)}
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


OTHER_CONFIGS = ("keras", "tf")


def has_a_config(path: Path) -> bool:
    """Whether a module names the type `TrainingConfig`, or reads the ``config`` of a run."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if "TrainingConfig" in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "config" and ast.unparse(node.value) not in OTHER_CONFIGS:
            return True
    return False


def test_a_configuration_passes_through_few_modules_on_its_way_to_a_saved_model():
    """Counted are the modules of the queue and those it imports, directly or through others, in functions and for
    types too, which receive, hold or pass on the whole of a `TrainingConfig`."""
    paths = {module_name(path): path for path in python_files("tl_core")}
    on_the_way = {name for name in paths if package_of(name) == "tl_core.jobs"}
    todo = list(on_the_way)
    while todo:
        found = {name for entry in imports_of(paths[todo.pop()]) for name in with_parents(entry.imported)}
        new = (found & paths.keys()) - on_the_way
        on_the_way |= new
        todo += new
    assert "tl_core.training.saving" in on_the_way
    holders = sorted(name for name in on_the_way if has_a_config(paths[name]))
    assert {"tl_core.jobs.runners.runner", "tl_core.training.run", "tl_core.models.classifier"} <= set(holders)
    assert len(holders) <= MAX_CONFIG_MODULES, holders
