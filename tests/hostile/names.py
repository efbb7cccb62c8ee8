"""Names of classes and files that could break out of where they are shown or stored, and what must become of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.archives import good_members, renamed, zip_of
from tests.hostile.pictures import png


@dataclass(frozen=True)
class BadName:
    """A name as it comes, and the label that stands for it; no label: what bears it is left out."""

    about: str
    name: str
    label: str | None

    def __str__(self) -> str:
        return self.about

    def as_class(self) -> bytes:
        """A zip with two pictures in a folder of this name, between good ones."""
        if "\0" in self.name:  # zipfile cuts a name there
            return renamed(f"{self.name}/1.png".replace("\0", "_"), f"{self.name}/1.png")
        return zip_of([*good_members(), *((f"{self.name}/{n}.png", png(70 + n)) for n in range(2))])

    def as_file(self) -> bytes:
        """A zip with a picture of this name, between good ones."""
        return zip_of([*good_members(), (f"cats/{self.name}.png".replace("\0", ""), png(80))])


BAD_NAMES = (
    BadName("markup", "<script>alert(1)</script>".replace("/", "\u2044"), "<script>alert(1)<\u2044script>"),
    BadName("event", '"><img src=x onerror=alert(1)>', '"><img src=x onerror=alert(1)>'),
    BadName("markdown", "**bold** [x](javascript:alert(1))", "**bold** [x](javascript:alert(1))"),
    BadName("formula", '=cmd|" ∕C calc"!A0', '=cmd|" ∕C calc"!A0'),
    BadName("template", "{{7*7}}${7*7}%s%n", "{{7*7}}${7*7}%s%n"),
    BadName("shell", "$(touch x);`id`&|", "$(touch x);`id`&|"),
    BadName("query", "'; DROP TABLE runs; --", "'; DROP TABLE runs; --"),
    BadName("climbs out", "..", None),
    BadName("climbs out by backslashes", "..\\..\\etc", None),
    BadName("drive", "C:", None),
    BadName("nul byte", "a\0b", None),
    BadName("device of windows", "con", "con"),
    BadName("300 characters", "x" * 300, "x" * 64),
    BadName("reads backwards", "evil\u202egnp", "evilgnp"),
    BadName("no width", "ze\u200bro", "zero"),
    BadName("two accents", "Cafe\u0301", "Café"),
    BadName("lines", "two\r\nlines", "two lines"),
    BadName("terminal", "\x1b[31mred\x07", "[31mred"),
    BadName("blank", " \u200b ", "unnamed"),
    BadName("family", "👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"),
)
