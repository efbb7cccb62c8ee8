"""What TensorFlow prints when it is loaded on a machine without a GPU: about CUDA, and nothing that a person needs.

``TF_CPP_MIN_LOG_LEVEL`` no longer keeps it back (tensorflow/tensorflow#100442): the library prints before it reads
the level, and twice. So standard error goes into a file while it is loaded, and what is no banner is printed then.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from tl_core.machine.hardware import detect_hardware

LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
_QUIET: Final = "2"  # errors alone; whoever sets another one gets all that TensorFlow prints
_STDERR: Final = 2
# The form of the lines is Abseil's: severity, date, time, thread, file and line.
_BANNER: Final = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} [^\]]*\] "
    rb"|E\d{4} [^\]]*\] (failed call to cuInit|Unable to register cu\w+ factory)"
)


def keep_banner_back() -> None:
    """Load TensorFlow without its banner, whenever this process does; cheap, and once is enough."""
    if os.environ.setdefault(LEVEL, _QUIET) != _QUIET or "tensorflow" in sys.modules:
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds TensorFlow, for once, in a form that is loaded quietly."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None or not _prints_banner_alone():
            return spec
        load = spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            with without_banner():
                load(module)
                _look_for_gpus(module)

        spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


def _prints_banner_alone() -> bool:
    """Whether there is nothing else to say: no GPU that it may fail to use, no processor that is too old for it."""
    hardware = detect_hardware()
    return sys.platform == "linux" and not hardware.gpus and bool(hardware.instruction_sets)


def _look_for_gpus(tensorflow: Any) -> None:
    tensorflow.config.list_physical_devices("GPU")  # else it would look, and say that there are none, in a while


@contextlib.contextmanager
def without_banner() -> Iterator[None]:
    """Print what is written to standard error in this block after it, without the banner."""
    with contextlib.ExitStack() as stack:
        try:
            kept, before = stack.enter_context(tempfile.TemporaryFile()), os.dup(_STDERR)
        except OSError:  # no standard error, or no room: then with the banner
            yield
            return
        stack.callback(os.close, before)
        _flush()
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        finally:
            _flush()
            os.dup2(before, _STDERR)
            kept.seek(0)
            with contextlib.suppress(OSError), os.fdopen(os.dup(_STDERR), "wb") as printed:  # unless nobody reads it
                printed.writelines(line for line in kept if not _BANNER.match(line))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
