"""The computer and how work runs on it: hardware, device, child processes, priority, progress."""
