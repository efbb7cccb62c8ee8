"""Pinned pictures: chosen before a training starts, and watched while it learns."""
