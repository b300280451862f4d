"""Counts a model's parameters by part: from its configuration by formulas, and by walking its modules."""
