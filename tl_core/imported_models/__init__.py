"""Imported models: files that are not trusted.

``importing`` inspects a file and stores it in the workspace; ``check`` decides from its table of contents and its
description whether it may be opened at all; ``store`` has the records. Keras opens such a file only in a process of
its own: ``model_server`` and ``sandbox.client`` are the server's side, ``sandbox.worker`` is the other.
``answering`` lets `tl_core.inference.predict` use it.
"""

from tl_core.imported_models.check.limits import LIMITS
from tl_core.imported_models.check.manifest import names_in_lines
from tl_core.imported_models.importing import InspectedFile, import_model, inspect_file
from tl_core.imported_models.store import (
    ImportedModel,
    delete_imported_model,
    list_imported_models,
    load_imported_model,
)

__all__ = [
    "LIMITS",
    "ImportedModel",
    "InspectedFile",
    "delete_imported_model",
    "import_model",
    "inspect_file",
    "list_imported_models",
    "load_imported_model",
    "names_in_lines",
]
