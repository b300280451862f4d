"""Trains packs on a Ray cluster: one plain task each, watched, ended and tried again by ourselves."""
