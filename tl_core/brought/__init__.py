"""Models that a person brings as files, which nobody vouches for.

``bringing`` looks at a file and keeps it in the workspace, ``model_file`` and ``architecture`` decide from its table
of contents and its description whether it may be opened at all, ``store`` has the records. Keras sees such a file
only in a process of its own: ``keeping`` and ``process`` are the server's side of it, ``child`` the other, to which
``weights`` and ``locking`` belong, too. ``answering`` lets `tl_core.prediction` ask it.
"""

from tl_core.brought.bringing import Looked, bring_model, look_at
from tl_core.brought.limits import LIMITS
from tl_core.brought.manifest import names_in_lines
from tl_core.brought.store import BroughtModel, forget_brought, list_brought, load_brought

__all__ = [
    "LIMITS",
    "BroughtModel",
    "Looked",
    "bring_model",
    "forget_brought",
    "list_brought",
    "load_brought",
    "look_at",
    "names_in_lines",
]
