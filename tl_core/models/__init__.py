"""The classifier: scaling, backbone and head in one Keras model; augmentation, freezing, optimizers and weights."""
