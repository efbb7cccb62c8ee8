"""The search for the best model: its button on the form, its list, and its view on the Train page."""
