"""Labelled texts: from files, hub or assets, checked, split, tokenised and cut into batches."""
