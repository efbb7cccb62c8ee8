"""Run the frozen part of a network once, cache its output, and train only the rest.

``choose_cut`` chooses where to cut a backbone, ``partition`` makes two halves of a classifier, ``compiled`` runs the
frozen one fast (``openvino_runtime``), ``images`` and ``compute`` store resized images and the output of the frozen
half, both in the bounded ``cache``.
"""
