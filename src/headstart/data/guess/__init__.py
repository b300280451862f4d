"""Guesses what a data file or folder holds, and so a study's `data` section."""
