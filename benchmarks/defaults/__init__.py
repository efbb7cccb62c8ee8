"""The study behind *Quick start*: which settings are good when a person changes nothing.

``python -m benchmarks.defaults`` runs it and writes ``docs/defaults.md``.
"""
