"""Run the frozen part of a network once, keep what it says, and train only the rest.

``trunk`` splits a backbone, ``compiled`` runs the frozen part fast, ``image_store`` and ``feature_cache`` keep
resized images and activations on the disk, ``features`` puts them together.
"""
