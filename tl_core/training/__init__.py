"""Training: feature extraction, then fine-tuning, reported only through the run folder."""

from tl_core.training.session import resume, train

__all__ = ["resume", "train"]
