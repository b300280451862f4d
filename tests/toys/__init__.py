"""Toy methods and tasks, a file each, that tests register."""
