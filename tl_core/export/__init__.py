"""Export of a model: each format is built, checked in a process of its own, and stored only if it predicts the same.

``formats`` is the table of formats, ``building`` has a builder for each, ``script`` writes the program that uses the
file, ``processes`` runs builder and program in child processes, ``proof`` compares predictions, ``card``
describes the model, and ``exporting`` does all of it in order and stores the result in the run's folder.
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
