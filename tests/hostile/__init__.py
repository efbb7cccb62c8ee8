"""Programs that make hostile or damaged files, so that no such file is in the repository."""
