"""The training engine: one step for any number of members, evaluation, and what keeps both exact."""
