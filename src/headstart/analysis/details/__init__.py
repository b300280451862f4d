"""What a report shows of a study beyond its findings: curves, predictions, grids, costs and origins."""
