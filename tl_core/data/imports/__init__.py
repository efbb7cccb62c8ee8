"""Import of images: archives, folders, downloads, and what class and split each file belongs to."""
