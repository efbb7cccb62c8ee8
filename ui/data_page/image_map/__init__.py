"""The map of all images: what its points are coloured by, and the pictures beside it."""
