"""Advice on the curves of a run."""
