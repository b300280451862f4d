"""Optimisers over the members of a pack: one object that updates all of them."""
