"""Runs one contender in this process and prints what it reports as the last line.

``python -m benchmarks.contender MODULE FUNCTION ARGUMENTS``, the arguments as a JSON object.
"""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.session import end_on_sigterm


def main() -> None:
    """Run the function named on the command line."""
    end_on_sigterm()
    module, function, arguments = sys.argv[1:]
    measured = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print()  # whatever a library left without an end of line
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
