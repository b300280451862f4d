"""Statistics as pure functions on arrays: no files, no torch."""
