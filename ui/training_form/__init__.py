"""The form of the Train page: settings, their words, their checks, and the controls that show them."""

from ui.training_form.form import new_training, open_from_link, training_form

__all__ = ["new_training", "open_from_link", "training_form"]
