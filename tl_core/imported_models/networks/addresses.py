"""What people paste: an address of TF Hub or Kaggle Models, as the handle that the client takes."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from tl_core.errors import ModelFileError

_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_HANDLE: Final = re.compile(rf"({_PART})/({_PART})/(tensorflow2)/({_PART})(?:/(\d+))?", re.IGNORECASE)
_HUB_HOSTS: Final = frozenset({"tfhub.dev", "www.tfhub.dev"})
_KAGGLE_HOSTS: Final = frozenset({"kaggle.com", "www.kaggle.com"})
_VERSION: Final = re.compile(r"\d+")
_SIZES: Final = re.compile(r"(?:^|[-_])(\d{2,4})(?:[-_]|$)")
_KINDS: Final = ("feature_vector", "classification")
_PLAUSIBLE: Final = (64, 1024)  # pixels


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, and not as a name or a file."""
    return text.strip().lower().startswith(("https://", "http://")) or _HANDLE.fullmatch(text.strip()) is not None


def handle_of(text: str) -> str:
    """The handle of a network at Kaggle Models, ``owner/model/tensorFlow2/variation`` with or without a version.

    Addresses of tfhub.dev lead there since 2024; the rule is that of their redirections: publisher, then the path
    without its last two parts for the model, dashes for underscores, and the kind of network in the variation.

    Args:
        text: an address of tfhub.dev or of Kaggle Models, or a handle.

    Raises:
        ModelFileError: it is neither.
    """
    text = text.strip()
    parts = urlsplit(text)
    if parts.hostname in _HUB_HOSTS:
        return _handle_of_hub([part for part in parts.path.split("/") if part], text)
    if parts.hostname in _KAGGLE_HOSTS:
        text = parts.path.strip("/").removeprefix("models/").replace("/frameworks/", "/").replace("/variations/", "/")
        text = text.replace("/versions/", "/")
    match = _HANDLE.fullmatch(text)
    if match is None:
        raise ModelFileError(
            f"“{text[:100]}” is no address of a network for TensorFlow 2: paste one of tfhub.dev or Kaggle Models, "
            "such as google/mobilenet-v2/tensorFlow2/100-224-feature-vector."
        )
    owner, model, _, variation, version = match.groups()
    return "/".join(filter(None, (owner, model, "tensorFlow2", variation, version)))


def _handle_of_hub(path: list[str], text: str) -> str:
    version = path.pop() if path and _VERSION.fullmatch(path[-1]) else ""
    kind = path.pop() if path and path[-1] in _KINDS else ""
    if len(path) < 2 or not version:
        raise ModelFileError(
            f"“{text[:100]}” is no complete address of tfhub.dev: it ends in the kind of the network and its "
            "version, as in https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5."
        )
    owner, name = path[0], path[-1]
    family = re.match(
        r"(mobilenet_v\d|efficientnet(?:_v2)?|inception_v\d|resnet_v\d|nasnet|pnasnet|inception_resnet_v2)", name
    )
    model = family[0] if family else name
    variation = "-".join(filter(None, (name[len(model) :].strip("_"), kind))) or name
    if len(path) > 2 and path[1] not in ("imagenet", model):
        variation = f"{path[1]}-{variation}"
    version = "" if family else version  # Kaggle counts the versions of a variation anew
    parts = (owner, model.replace("_", "-"), "tensorFlow2", variation.replace("_", "-"), version)
    return "/".join(filter(None, parts))


def title_of(handle: str) -> str:
    """A name for people: ``mobilenet-v2 100-224``."""
    parts = handle.split("/")
    return f"{parts[1]} {re.sub('-?(feature-vector|classification)$', '', parts[3])}".strip()


def size_in(handle: str) -> int | None:
    """The image size that a variation names (``100-224-feature-vector``), in pixels."""
    found = [int(size) for size in re.findall(r"\d+", handle.split("/")[3])]
    return next((size for size in reversed(found) if _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1] and size != 100), None)
