"""The workspace on the disk: files, ownership, quota, and the append-only event log."""
