"""Human views of cards: schemas, explanations, image tools. The home of `construct`."""
