"""The command line: ``python -m tl_core VERB ...``."""

from tl_core.command_line.main import main

__all__ = ["main"]
