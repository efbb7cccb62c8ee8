"""A configuration as a program that needs none of this code: Keras alone, as a script or as a notebook."""

from tl_core.export.code.documents import Cell, as_notebook, as_script
from tl_core.export.code.program import write_program

__all__ = ["Cell", "as_notebook", "as_script", "write_program"]
