"""A run in MLflow: a process of its own follows the events in the run's folder and sends them on, live.

The folder is the buffer: what a tracking server did not take is still there and is sent later. So a server that is
slow, gone or refuses costs a training nothing.
"""
