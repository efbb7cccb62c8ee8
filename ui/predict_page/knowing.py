"""What a model can answer at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tl_core.format import count, percent
from ui.components.markdown import plain

NAMED_CLASSES: Final = 12


def format_knowledge(classes: Sequence[str], threshold: float) -> str:
    """Such as ``It knows 2 classes and always answers one of them: cat, dog.``, as Markdown.

    Args:
        classes: their names.
        threshold: the probability (0-1) below which it says *I don't know*.
    """
    named = ", ".join(plain(name) for name in classes[:NAMED_CLASSES])
    more = f" and {len(classes) - NAMED_CLASSES} more" if len(classes) > NAMED_CLASSES else ""
    always = f"answers “I don't know” below {percent(threshold, 0)}, else" if threshold else "always answers"
    return f"It knows {count(len(classes), 'class', 'classes')} and {always} one of them: {named}{more}."
