"""The frame of every page: navigation, access, errors, the server log."""
