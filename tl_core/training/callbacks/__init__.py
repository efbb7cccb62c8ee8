"""What happens around the epochs of a training, one `tl_core.training.trainer.Callback` per file."""
