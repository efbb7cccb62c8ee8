"""Every error a person can meet.

The message of each is one sentence for that person: what is wrong, what was received, what to do. The traceback
belongs in the log, never on the page.
"""


class TransferLearningError(Exception):
    """Base of all errors whose message is meant for the person at the screen."""


class ConfigError(TransferLearningError):
    """A setting is out of its range, unknown, or contradicts another."""


class WorkspaceError(TransferLearningError):
    """The workspace folder cannot be read or written, or has no room left."""


class NewerVersionError(TransferLearningError):
    """A file was written by a newer version of this program, which has more than this one supports."""


class DataError(TransferLearningError):
    """A dataset cannot be imported or used."""


class ArchiveError(DataError):
    """A zip file is broken, over a limit, or not a zip file."""


class ImageError(DataError):
    """One image cannot be used; an import lists it and goes on."""


class NotEnoughDataError(DataError):
    """Too few classes, or too few images in a class, to train on."""


class NoClassFoldersError(NotEnoughDataError):
    """There are images, and nothing tells their classes."""


class DatasetNotFoundError(DataError):
    """No dataset has the given id."""


class WeightsUnavailableError(TransferLearningError):
    """Pretrained weights are not on this machine and cannot be downloaded."""


class NotYoursError(TransferLearningError):
    """A run, dataset or model belongs to somebody else."""


class RunNotFoundError(TransferLearningError):
    """No run has the given id."""


class SearchNotFoundError(TransferLearningError):
    """No search for the best model has the given id."""


class ModelUnavailableError(TransferLearningError):
    """A run has no usable model (yet), or its model file is damaged."""


class ModelFileError(TransferLearningError):
    """An imported model is refused, or could not be opened."""


class ExportError(TransferLearningError):
    """A model cannot be written in a format, or what was written does not agree with the model."""


class TrainingError(TransferLearningError):
    """A training cannot go on."""


class DivergedError(TrainingError):
    """The loss became infinite or not a number."""


class OutOfMemoryError(TrainingError):
    """The memory of the device, or of the machine, is not enough."""


class ClusterError(TransferLearningError):
    """The Ray cluster does not answer, or a node of it cannot train."""


class TrackingError(TransferLearningError):
    """A run cannot be sent to a tracking server, or to a folder of runs."""


class StoppedError(TransferLearningError):
    """A stop was requested before there was anything to save."""
