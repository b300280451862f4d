"""A file a command, named like it: each holds the function of the public API that the command calls."""
