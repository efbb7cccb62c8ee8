"""What the block map shows, worked out from a backbone's outline without a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

# The smallest block stays visible beside one with a thousand times its parameters.
_LOWEST_BAR: Final = 0.16


class BlockLike(Protocol):
    """`tl_core.backbones.outline.BlockOutline` is one."""

    @property
    def title(self) -> str: ...
    @property
    def first(self) -> int:
        """Number of layers before the block."""

    @property
    def end(self) -> int:
        """Number of layers up to the end of the block."""

    @property
    def parameters(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MapBlock:
    """One block as drawn."""

    title: str
    first: int  # layers before it: freezing so many makes it the first trainable block
    layers: int
    parameters: int
    height: float  # of its bar, 0-1, by the square root of its parameters
    frozen: float  # share of its layers that are frozen, 0-1

    @property
    def state(self) -> str:
        """In one word or two."""
        if self.frozen == 1:
            return "frozen"
        return "trainable" if self.frozen == 0 else f"{self.frozen:.0%} frozen"

    @property
    def label(self) -> str:
        """For a pointer that rests on it and for a screen reader."""
        layers = "1 layer" if self.layers == 1 else f"{self.layers} layers"
        parameters = f"{format_count(self.parameters)} parameters" if self.parameters else "no parameters"
        return f"{self.title}: {layers}, {parameters}, {self.state}. Press to train from here on."


def draw_map(blocks: Sequence[BlockLike], frozen_layers: int) -> tuple[MapBlock, ...]:
    """The blocks with their bars, for the first ``frozen_layers`` layers frozen."""
    most = max((block.parameters for block in blocks), default=0) or 1
    return tuple(
        MapBlock(
            title=block.title,
            first=block.first,
            layers=block.end - block.first,
            parameters=block.parameters,
            height=round(_LOWEST_BAR + (1 - _LOWEST_BAR) * math.sqrt(block.parameters / most), 3),
            frozen=_share_before(frozen_layers, block),
        )
        for block in blocks
    )


def describe_map(blocks: Sequence[BlockLike], frozen_layers: int) -> str:
    """The picture in a sentence: for screen readers, and for anybody who wants to be sure."""
    if not blocks:
        return "This backbone has no layers to show."
    shares = [_share_before(frozen_layers, block) for block in blocks]
    if all(share == 1 for share in shares):
        return f"All blocks, {_span(blocks)}, are frozen; only the head learns."
    if not any(shares):
        return f"No block is frozen: {_span(blocks)} and the head all learn."
    parts = []
    frozen = [block for block, share in zip(blocks, shares, strict=True) if share == 1]
    partly = [block for block, share in zip(blocks, shares, strict=True) if 0 < share < 1]
    trainable = [block for block, share in zip(blocks, shares, strict=True) if share == 0]
    if frozen:
        parts.append(f"Frozen: {_span(frozen)}")
    if partly:
        parts.append(f"partly frozen: {_span(partly)}" if parts else f"Partly frozen: {_span(partly)}")
    parts.append(f"trainable: {_span(trainable)} and the head" if trainable else "trainable: the rest and the head")
    return "; ".join(parts) + "."


def format_count(count: int) -> str:
    """A number of parameters for the eye: ``1,234``, ``83.5 k``, ``14.7 M``."""
    if count < 10_000:
        return f"{count:,}"
    value, unit = (count / 1e3, "k") if count < 999_500 else (count / 1e6, "M")
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def _share_before(frozen_layers: int, block: BlockLike) -> float:
    inside = min(max(frozen_layers - block.first, 0), block.end - block.first)
    return inside / max(block.end - block.first, 1)


def _span(blocks: Sequence[BlockLike]) -> str:
    return blocks[0].title if len(blocks) == 1 else f"{blocks[0].title} to {blocks[-1].title}"
