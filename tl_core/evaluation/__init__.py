"""How good a finished model is: metrics, class curves, ranking of images, and the report."""
