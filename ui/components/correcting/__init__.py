"""A wrong answer leads back to the images: corrected where it is seen, undone, trained again, compared."""
