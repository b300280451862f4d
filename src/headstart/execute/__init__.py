"""Carries packs out: what they share is prepared once, then processes train them and write their runs."""
