"""What the server answers to, as an OpenAPI document and as a page that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any, Final

from tl_core.inference.serving.uploads import FIELD, MOST_BYTES, MOST_IMAGES

PAGE: Final = Path(__file__).parent / "templates" / "page.html"

_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One sentence: what is wrong and what to do."}},
}
_PREDICTION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["class", "probability", "probabilities", "rejected", "reason", "novelty", "nearest"],
    "properties": {
        "class": {"type": ["string", "null"], "description": "The likeliest class; of a rejected one a best guess."},
        "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
        "rejected": {
            "type": "boolean",
            "description": "Whether the class is no answer, but a best guess or none; see reason.",
        },
        "reason": {
            "type": ["string", "null"],
            "enum": ["unlike", "unsure", "unusable", None],
            "description": "Why it is rejected: unlike anything the model was taught; less likely than the threshold "
            "that was chosen for it; or the image cannot be used.",
        },
        "novelty": {
            "type": ["number", "null"],
            "minimum": 0,
            "description": "How far it is from what the model was taught; above 1 it is rejected.",
        },
        "nearest": {"type": ["string", "null"], "description": "The class of the training image it is least unlike."},
        "error": {"type": "string", "description": "Why this image cannot be used; the others are answered."},
    },
}


def _answers(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_REFUSED: Final = {
    "4XX": _answers("The request cannot be answered.", {"$ref": "#/components/schemas/Error"}),
    "503": _answers("Too much at a time: try again later.", {"$ref": "#/components/schemas/Error"}),
}
_IMAGES: Final[dict[str, Any]] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": [FIELD],
            "properties": {FIELD: {"type": "array", "items": {"type": "string", "format": "binary"}}},
        }
    },
    "application/json": {
        "schema": {
            "type": "object",
            "required": [FIELD],
            "properties": {
                FIELD: {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}},
            },
        }
    },
}

OPENAPI: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {
        "title": "A trained image classifier",
        "version": "1",
        "description": f"Images are JPEG, PNG, TIFF, HEIC, WebP, BMP or GIF; at most {MOST_IMAGES} images and "
        f"{MOST_BYTES / 1e6:.0f} MB in one request.",
    },
    "paths": {
        "/predict": {
            "post": {
                "summary": "Classify one or many images",
                "requestBody": {"required": True, "content": _IMAGES},
                "responses": {
                    "200": _answers(
                        "One prediction per image, in the same order.",
                        {
                            "type": "object",
                            "required": ["predictions"],
                            "properties": {
                                "predictions": {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}
                            },
                        },
                    ),
                    **_REFUSED,
                },
            }
        },
        "/model": {
            "get": {
                "summary": "The model: its classes, input size, threshold and figures",
                "responses": {"200": _answers("The model.", {"type": "object"}), **_REFUSED},
            }
        },
        "/health": {
            "get": {
                "summary": "Whether it can predict",
                "security": [],
                "responses": {"200": _answers("It can.", {"type": "object"})},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Counts and times for Prometheus",
                "responses": {
                    "200": {"description": "As text.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                    **_REFUSED,
                },
            }
        },
    },
    "components": {
        "schemas": {"Error": _ERROR, "Prediction": _PREDICTION},
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
    "security": [{}, {"token": []}],  # the token only where the server was started with one
}


@functools.cache
def page() -> tuple[str, str]:
    """The page of the server, and the policy under which a browser runs its one script and nothing else."""
    text = PAGE.read_text(encoding="utf-8")
    script, style = (_hash_of(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src blob: data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy


def _hash_of(text: str, tag: str) -> str:
    inner = text.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
