"""The applications of the card, one package each; they never import each other."""
