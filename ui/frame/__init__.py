"""What every page has: its title, the menu, the current dataset and model, and the training at work."""
