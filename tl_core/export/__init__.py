"""Export of a model: each format is built, checked in a process of its own, and stored only if it predicts the same.

``formats`` is the table of formats, ``building`` has a builder for each, ``processes`` runs builder and program in
child processes, ``proof`` compares predictions, and ``exporting`` does all of it in order and stores the result in
the run's folder. ``browser`` makes the model a web page. ``templates`` has the model card, the program that uses the
file, and the run as a Keras program, which ``program`` writes as a script or notebook.
"""
