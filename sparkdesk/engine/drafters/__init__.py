"""One module per kind of draft: how it follows the target, and how a round of it goes."""
