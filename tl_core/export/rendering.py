"""The texts that go with a model, from the Jinja templates in ``templates/``: programs and the model card."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_core.storage.format import percent

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """The text of a template, with these values; a name that it does not get is an error."""
    return _templates().get_template(template).render(values)


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # what imports this module starts fast

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # the results are Python and Markdown, not HTML
    )
    templates.filters.update(plain=_plain, percent=percent)
    return templates


def _plain(text: object) -> str:
    """Text from outside, so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~" else char for char in str(text))
