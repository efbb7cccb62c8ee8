"""The pieces of the Data page: bringing images in, and looking at what is there."""
