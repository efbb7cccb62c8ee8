"""Imported models: files that are not trusted.

``importing`` inspects a file and stores it in the workspace; ``check`` decides from its table of contents and its
description whether it may be opened at all; ``store`` has the records. Keras opens such a file only in a process of
its own: ``model_server`` is the server's side, with all that `tl_core.inference.predict` needs to use it;
``sandbox.worker`` is the other.
"""
