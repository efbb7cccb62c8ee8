"""Makers of files that mean harm, or that went wrong: programs, so that no such file lies in the repository."""
