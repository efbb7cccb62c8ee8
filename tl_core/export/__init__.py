"""Taking a model elsewhere: each format is built, asked in a process of its own, and kept only if it agrees.

``formats`` is the table of formats, ``building`` has a builder for each, ``script`` writes the program that uses the
file, ``proof`` asks that very program about validation images, ``card`` describes the model, and ``exporting`` does
all of it in order and keeps the outcome in the run's folder.
"""

from tl_core.export.exporting import Export, export_run, list_exports
from tl_core.export.formats import FORMATS, ExportFormat, get_format, missing_packages
from tl_core.export.proof import Proof

__all__ = [
    "FORMATS",
    "Export",
    "ExportFormat",
    "Proof",
    "export_run",
    "get_format",
    "list_exports",
    "missing_packages",
]
