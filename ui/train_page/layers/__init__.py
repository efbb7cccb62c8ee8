"""What the layers see: a chart under the block map, and the maps of a picture."""
