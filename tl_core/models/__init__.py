"""The classifier: scaling, backbone and head in one Keras model, and what changes it while training."""
