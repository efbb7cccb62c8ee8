"""Stands in for the process that opens a model, and never writes anything."""

import sys

if __name__ == "__main__":
    sys.stdin.read()
