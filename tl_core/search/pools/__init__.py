"""What the heads of a search are trained on: the processors of this machine, or a Ray cluster."""
