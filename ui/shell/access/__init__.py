"""Who may see the dashboard: everybody at this machine, or whoever has the pass-code or an invited login."""
