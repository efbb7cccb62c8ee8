"""The static check of a model file, before anything opens it."""
