"""What people paste: an address of TF Hub, Kaggle Models or Hugging Face, or the name of a preset of KerasHub, as the
handle that a client takes."""

from __future__ import annotations

import ast
import difflib
import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.preset import BACKBONES

HUGGING_FACE: Final = "hf://"
KAGGLE: Final = "kaggle://"
INSTALL: Final = 'pip install "keras-hub>=0.32,<0.33"'

_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_HANDLE: Final = re.compile(rf"({_PART})/({_PART})/(tensorflow2|keras)/({_PART})(?:/(\d+))?", re.IGNORECASE)
_HUB_HOSTS: Final = frozenset({"tfhub.dev", "www.tfhub.dev"})
_KAGGLE_HOSTS: Final = frozenset({"kaggle.com", "www.kaggle.com"})
_HUGGING_FACE_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co"})
_REPOSITORY: Final = re.compile(rf"({_PART})/({_PART})(?:@({_PART}))?")
_PRESET: Final = re.compile(r"[a-z0-9]+(?:[_.][a-z0-9]+)+")
_FRAMEWORKS: Final = {"tensorflow2": "tensorFlow2", "keras": "keras"}  # as the client writes them
_VERSION: Final = re.compile(r"\d+")
_SIZES: Final = re.compile(r"(?:^|[-_])(\d{2,4})(?:[-_]|$)")
_KINDS: Final = ("feature_vector", "classification")
_PLAUSIBLE: Final = (64, 1024)  # pixels


def is_address(text: str) -> bool:
    """Whether a text is meant as an address or the name of a preset, and not as a file or a name of ours."""
    text = text.strip()
    begins = text.lower().startswith(("https://", "http://", KAGGLE, HUGGING_FACE))
    return begins or _HANDLE.fullmatch(text) is not None or text in preset_handles()


def handle_of(text: str) -> str:
    """The handle of a network: at Kaggle Models ``owner/model/tensorFlow2/variation``, or ``.../keras/...`` for a
    preset of KerasHub, with or without a version; at Hugging Face ``hf://owner/name``.

    Addresses of tfhub.dev lead to Kaggle Models since 2024; the rule is that of their redirections: publisher, then
    the path without its last two parts for the model, dashes for underscores, and the kind of network in the
    variation.

    Args:
        text: an address of tfhub.dev, Kaggle Models or Hugging Face, a handle, or the name of a preset.

    Raises:
        ModelFileError: it is none of these.
    """
    text = text.strip()
    text = preset_handles().get(text, text)
    parts = urlsplit(text)
    if parts.hostname in _HUB_HOSTS:
        return _handle_of_hub([part for part in parts.path.split("/") if part], text)
    if parts.hostname in _HUGGING_FACE_HOSTS:
        text = HUGGING_FACE + parts.path.strip("/").replace("/tree/", "@")
    if text.lower().startswith(HUGGING_FACE):
        return _handle_of_hugging_face(text)
    if parts.hostname in _KAGGLE_HOSTS:
        text = parts.path.strip("/").removeprefix("models/").replace("/frameworks/", "/").replace("/variations/", "/")
        text = text.replace("/versions/", "/")
    match = _HANDLE.fullmatch(text.removeprefix(KAGGLE))
    if match is None:
        raise ModelFileError(
            f"“{text[:100]}” is no address of a network for TensorFlow 2 or Keras: paste one of tfhub.dev, Kaggle "
            "Models or Hugging Face, such as google/mobilenet-v2/tensorFlow2/100-224-feature-vector or "
            "kaggle://keras/resnetv1/keras/resnet_50_imagenet."
        )
    owner, model, framework, variation, version = match.groups()
    return "/".join(filter(None, (owner, model, _FRAMEWORKS[framework.lower()], variation, version)))


def _handle_of_hugging_face(text: str) -> str:
    match = _REPOSITORY.fullmatch(text[len(HUGGING_FACE) :])
    if match is None:
        raise ModelFileError(
            f"“{text[:100]}” is no address of a model at Hugging Face: it has an owner and a name, as in "
            "hf://keras/resnet_50_imagenet."
        )
    owner, name, revision = match.groups()
    return f"{HUGGING_FACE}{owner}/{name}" + (f"@{revision}" if revision else "")


@functools.cache
def preset_handles() -> Mapping[str, str]:
    """The names of the presets of the installed KerasHub that are image networks, and where each is.

    They are read from its files, because importing it brings TensorFlow. Empty where it is not installed.
    """
    package = importlib.util.find_spec("keras_hub")
    if package is None or package.origin is None:
        return {}
    models = Path(package.origin).parent / "src" / "models"
    modules = [path for folder in sorted(set(BACKBONES.values())) for path in models.glob(f"{folder}/*_presets.py")]
    presets = [entry for path in modules for entry in _tables(path)]
    return {name: values["kaggle_handle"] for name, values in presets if "kaggle_handle" in values}


def _tables(path: Path) -> Iterator[tuple[str, Any]]:
    """The entries of the dictionaries that a module of KerasHub assigns."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            try:
                values = ast.literal_eval(node.value)
            except ValueError:
                continue  # made of other tables, which are read by themselves
            yield from ((name, entry) for name, entry in values.items() if isinstance(entry, dict))


def no_such_preset(text: str) -> ModelFileError | None:
    """What to say to a name that could be that of a preset, but is none; None where it could not."""
    text = text.strip()
    if _PRESET.fullmatch(text) is None:
        return None
    if importlib.util.find_spec("keras_hub") is None:
        return ModelFileError(
            f"“{text[:100]}” may be a preset of KerasHub, which is not installed: run “{INSTALL}”, or paste an "
            "address."
        )
    near = difflib.get_close_matches(text, preset_handles(), n=3, cutoff=0.5)
    return ModelFileError(
        f"There is no image network “{text[:100]}” among the presets of KerasHub. Similar names are: "
        f"{', '.join(near or sorted(preset_handles())[:3])}."
    )


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
    """A name for people: ``mobilenet-v2 100-224``, or that of a preset."""
    parts = handle.removeprefix(HUGGING_FACE).partition("@")[0].split("/")
    if len(parts) == 2 or parts[2] == "keras":
        return parts[1 if len(parts) == 2 else 3]
    return f"{parts[1]} {re.sub('-?(feature-vector|classification)$', '', parts[3])}".strip()


def size_in(handle: str) -> int | None:
    """The image size that a variation names (``100-224-feature-vector``), in pixels; presets say it themselves."""
    if "/tensorFlow2/" not in handle:
        return None
    found = [int(size) for size in re.findall(r"\d+", handle.split("/")[3])]
    return next((size for size in reversed(found) if _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1] and size != 100), None)
