"""Run the frozen part of a network once, keep what it says, and train only the rest.

``trunk`` splits a backbone, ``cut_choice`` says where, ``partition`` makes two halves of a classifier, ``compiled``
runs the frozen one fast (``openvino_runtime``), ``image_store`` and ``activations`` keep resized images and what the
frozen half says of them, both in the bounded ``disk_cache``.
"""
