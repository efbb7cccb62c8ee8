"""Where a search has its features from: backbones whose weights are here or on their way, run over the images."""
