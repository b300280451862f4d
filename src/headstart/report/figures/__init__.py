"""Figures of a study's report, drawn by matplotlib: SVG for pages, and SVG, PNG and PDF as files."""
