"""What the blocks of a backbone see in images: their maps, what excites them, and how far classes are apart."""
