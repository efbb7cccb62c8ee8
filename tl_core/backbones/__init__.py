"""Pretrained backbones: the registry, how each is built, and where its weights come from.

`registry` and `outline` are plain data and import nothing but the standard library; `build` needs Keras.
"""
