"""Runs studies: opened once, their packs handed to a backend; what a backend is, and the one of this machine."""
