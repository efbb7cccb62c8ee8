"""The command line: ``python -m tl_core VERB ...``, one module per verb."""

from tl_core.command_line.main import main

__all__ = ["main"]
