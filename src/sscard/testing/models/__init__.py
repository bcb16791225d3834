"""Models of cards, written from the reference alone: they import nothing of what they check."""
