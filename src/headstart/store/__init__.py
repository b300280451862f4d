"""What lies on disk: one folder a run, written whole or not at all, and the curves beside it."""
