"""Training: feature extraction, then fine-tuning, reported only through the run folder."""

from tl_core.training.session import extend, resume, train

__all__ = ["extend", "resume", "train"]
