"""The form of the Train page: settings, their checks, and the controls that show them."""

from ui.train_page.form import open_from_link, run_heading, training_form

__all__ = ["open_from_link", "run_heading", "training_form"]
