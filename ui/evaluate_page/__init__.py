"""How good a model is: figures, classes and confusions."""
