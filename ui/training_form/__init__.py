"""The form of the Train page: settings, their words, their checks, and the controls that show them."""
