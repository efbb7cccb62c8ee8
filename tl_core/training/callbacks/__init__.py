"""What happens around the epochs of a training, one callback per file."""
