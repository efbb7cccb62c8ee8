"""Datasets: import, normalisation, split and health report."""

from tl_core.data.dataset import (
    SPLITS,
    Dataset,
    ImageRecord,
    SkippedFile,
    delete_dataset,
    find_dataset,
    list_datasets,
    load_dataset,
    rename_dataset,
)
from tl_core.data.health import Finding, health_report
from tl_core.data.imports.importing import import_folder, import_uploaded_folder, import_uploads, import_zip
from tl_core.data.normalise import NormalisedImage, normalise_image, read_image, resize_image
from tl_core.data.samples import SAMPLES, Sample, import_sample
from tl_core.data.split import SplitConfig

__all__ = [
    "SAMPLES",
    "SPLITS",
    "Dataset",
    "Finding",
    "ImageRecord",
    "NormalisedImage",
    "Sample",
    "SkippedFile",
    "SplitConfig",
    "delete_dataset",
    "find_dataset",
    "health_report",
    "import_folder",
    "import_sample",
    "import_uploaded_folder",
    "import_uploads",
    "import_zip",
    "list_datasets",
    "load_dataset",
    "normalise_image",
    "read_image",
    "rename_dataset",
    "resize_image",
]
