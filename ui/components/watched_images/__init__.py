"""Watched images: chosen before a training starts, and watched while it trains."""
