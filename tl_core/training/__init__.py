"""Training: feature extraction, then fine-tuning, reported only through the run folder."""

from tl_core.training.run import extend, resume, train

__all__ = ["extend", "resume", "train"]
