"""Pretrained networks from elsewhere: found by an address or in a file, checked, and turned into plain Keras layers.

`hub.KerasLayer` does not work with Keras 3, and a layer that only points at a SavedModel would leave a trained model
that opens nowhere else. So the graph of a SavedModel is rebuilt once, in a process of its own, from public Keras
layers with its weights, and both have to say the same of the same pictures. From then on it is a backbone like any
other: it can be frozen block by block, cached, fine-tuned, saved in one file and exported.
"""
