"""What a model says about a picture: its answers, the card that shows one, and the pictures it is asked about."""
