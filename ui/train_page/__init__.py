"""The form of the Train page: settings, their checks, and the controls that show them."""
