"""What a person may change in a run at any time: its name, a star, notes and tags."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tl_core.errors import ConfigError, WorkspaceError
from tl_core.runs.record import ANNOTATION_FIELDS, RunFolder, RunRecord
from tl_core.storage.files import read_json
from tl_core.storage.schemas import ANNOTATIONS

logger = logging.getLogger(__name__)

MAX_NAME_LENGTH: Final = 80
MAX_NOTES_LENGTH: Final = 10_000
MAX_TAGS: Final = 10  # of one run
MAX_TAG_LENGTH: Final = 24


def changed_annotations(
    record: RunRecord, name: str | None, starred: bool | None, notes: str | None, tags: Sequence[str] | None
) -> dict[str, Any]:
    """All annotations of a run with some of them changed, checked; None leaves one as it is.

    Raises:
        ConfigError: the name is empty, or there are too many or too long tags.
    """
    if name is not None and not name.strip():
        raise ConfigError("A run needs a name with at least one character.")
    return {
        "name": record.name if name is None else name.strip()[:MAX_NAME_LENGTH],
        "starred": record.starred if starred is None else starred,
        "notes": record.notes if notes is None else notes[:MAX_NOTES_LENGTH],
        "tags": record.tags if tags is None else clean_tags(tags),
    }


def read_annotations(folder: RunFolder) -> dict[str, Any]:
    """What was added to the run in ``folder``; empty where nothing was, or where it is damaged.

    Raises:
        NewerVersionError: a newer version of this program wrote it; left out it would be lost with the next change.
    """
    try:
        values = ANNOTATIONS.upgraded(read_json(folder.annotations_file))
        tags = tuple(str(tag) for tag in values.get("tags", ()))
    except FileNotFoundError:
        return {}
    except (WorkspaceError, AttributeError, TypeError):
        logger.warning("The name and notes of the run %s are damaged and left out.", folder.path.name)
        return {}
    return {name: value for name, value in {**values, "tags": tags}.items() if name in ANNOTATION_FIELDS}


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without spaces around them, each once, whatever its case.

    Raises:
        ConfigError: there are too many, or one is too long.
    """
    words = (" ".join(tag.split()) for tag in tags)
    found = tuple({word.casefold(): word for word in reversed([word for word in words if word])}.values())[::-1]
    if len(found) > MAX_TAGS:
        raise ConfigError(f"A run can have {MAX_TAGS} tags: remove one first. Received: {len(found)}.")
    if long := next((word for word in found if len(word) > MAX_TAG_LENGTH), None):
        raise ConfigError(f"A tag is at most {MAX_TAG_LENGTH} characters long. Received: “{long}”.")
    return found


def has_tags(run: RunRecord, wanted: Iterable[str]) -> bool:
    """Whether a run has every wanted tag, whatever its case."""
    return {tag.casefold() for tag in wanted} <= {tag.casefold() for tag in run.tags}


def tags_of(runs: Iterable[RunRecord]) -> list[str]:
    """Every tag of the runs, in alphabetical order."""
    return sorted({tag.casefold(): tag for run in runs for tag in run.tags}.values(), key=str.casefold)
