"""A trained model behind HTTP, for other programs: ``python -m tl_core serve``."""
