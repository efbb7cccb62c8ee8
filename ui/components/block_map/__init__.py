"""The block map: a picture of the backbone from stem to last block, showing what stays frozen."""

from ui.components.block_map.component import block_map
from ui.components.block_map.drawing import MapBlock, describe_map, draw_map

__all__ = ["MapBlock", "block_map", "describe_map", "draw_map"]
