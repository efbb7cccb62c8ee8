"""One run: where it stands and what can still be done with it."""
