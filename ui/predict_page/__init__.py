"""Asking a model about pictures: where they come from, its answers, and how they are shown."""
