"""Predicting with a finished model: predictions, calibration, Grad-CAM heatmaps, nearest neighbours."""
