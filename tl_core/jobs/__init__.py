"""Running trainings in the background: a queue, the threads that work it off, stop and cancel."""

from tl_core.jobs.queue import JobManager, manager
from tl_core.jobs.supervisor import Job, TrainFunction

__all__ = ["Job", "JobManager", "TrainFunction", "manager"]
