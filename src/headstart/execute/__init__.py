"""Runs studies: opened once, their packs handed to a backend; what a backend is, and this machine's."""
