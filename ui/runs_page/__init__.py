"""All runs, and one of them: table, filter, details, and choosing one."""
