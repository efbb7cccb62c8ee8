"""Who may see the dashboard: everybody at this machine, or whoever has the pass-code or an invited login."""

from ui.access.gate import admitted, who_shares

__all__ = ["admitted", "who_shares"]
