"""Run records, or scores of anybody's, become findings: typed objects that reports render."""
