"""What a study learns: one file and one object a task."""
