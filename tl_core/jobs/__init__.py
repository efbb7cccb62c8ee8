"""Running trainings in the background: a queue, its supervisor, and what a training runs in."""

from tl_core.jobs.queue import JobManager, manager
from tl_core.jobs.supervisor import Job

__all__ = ["Job", "JobManager", "manager"]
