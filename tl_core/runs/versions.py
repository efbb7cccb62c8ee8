"""What a run was made with."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

_RECORDED_PACKAGES: Final = ("tensorflow", "keras", "openvino", "numpy", "pillow", "streamlit", "scikit-learn")


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter, by name."""
    versions = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
