"""Models from files on the Predict page: bringing one, choosing one, opening it, asking it."""
