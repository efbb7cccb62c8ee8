"""Figures about a dataset as a whole."""
