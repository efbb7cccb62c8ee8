"""An optional comparison with PyTorch, in a virtual environment of its own: see ``__main__``."""
