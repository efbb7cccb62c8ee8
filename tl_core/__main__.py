"""``python -m tl_core``: what the pages do, for scripts and benchmarks."""

import sys

from tl_core.command_line import main

if __name__ == "__main__":
    sys.exit(main())
