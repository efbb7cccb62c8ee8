"""What a dataset's own images say about it, before anything is trained: wrong labels, look-alikes, leaks, shortcuts.

Everything is read from the output of the default backbone for every image, which is cached one by one.
"""
