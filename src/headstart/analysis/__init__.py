"""Makes findings from run records, or from scores in a file: typed objects that reports render."""
