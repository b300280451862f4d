"""What stands in a label column: one file and one object for each kind of label."""
