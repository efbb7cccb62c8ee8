"""Measuring a model once more, in the background."""
