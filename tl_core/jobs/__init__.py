"""Running trainings in the background: a queue, one worker thread, stop and cancel."""

from tl_core.jobs.queue import Job, JobManager, TrainFunction, manager

__all__ = ["Job", "JobManager", "TrainFunction", "manager"]
