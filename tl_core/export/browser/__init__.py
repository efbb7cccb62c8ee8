"""A model in a web page: as TensorFlow.js wants it, and one HTML file that uses it without a network.

``library`` has TensorFlow.js itself, ``graph`` makes a Keras model into a graph of operations that it knows,
``graph_model`` writes that in its format, and ``page`` puts all of it into one file with the code in ``assets``.
"""
