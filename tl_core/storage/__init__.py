"""The workspace on the disk: files, ownership, quota, the append-only event log; numbers as text."""
