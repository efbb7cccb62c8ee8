"""Label by pointing: unlabelled pictures are brought, a few are named, and a dataset comes of it."""
