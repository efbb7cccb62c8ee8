"""Who may see the dashboard: everybody at this machine, or whoever has the pass-code or an invited login."""

from ui.shell.access.endpoints import guarded, release_uploads, take_uploads, upload_limit
from ui.shell.access.gate import admitted, leave_if_login_ran_out, seen_by_visitor, show_visitor, who_sees
from ui.shell.access.protection import require_protection

__all__ = [
    "admitted",
    "guarded",
    "leave_if_login_ran_out",
    "release_uploads",
    "require_protection",
    "seen_by_visitor",
    "show_visitor",
    "take_uploads",
    "upload_limit",
    "who_sees",
]
