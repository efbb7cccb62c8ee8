"""The columns of the published table, in its order, so that a row here reads like a row there."""

from __future__ import annotations

from typing import Any, Final

KERAS_WEIGHTS: Final = "https://storage.googleapis.com/tensorflow/keras-applications"


def published(
    size_mb: float | None,
    top1: float | None,
    top5: float | None,
    millions: float,
    depth: int | None = None,
    cpu_ms: float | None = None,
    gpu_ms: float | None = None,
) -> dict[str, Any]:
    """Name the figures of one row; see `tl_core.backbones.record.Backbone` for what they mean."""
    return {
        "size_mb": size_mb,
        "top1": top1,
        "top5": top5,
        "parameters": round(millions * 1e6),
        "depth": depth,
        "cpu_ms": cpu_ms,
        "gpu_ms": gpu_ms,
    }
