"""The programs behind the claims of the documentation; each can be run again by anyone."""
