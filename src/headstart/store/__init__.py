"""What lies in a study's output folder: where, and who may write or read it."""
