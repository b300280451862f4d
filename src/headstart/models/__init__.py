"""Models: found, initialised from a checkpoint or from a seed, saved, and the bag of words beside them."""
