"""Tuning methods: which parameters of a model train, and how they decay."""
