"""Readers of other people's results, item by item: one file for each format, none of their libraries."""
