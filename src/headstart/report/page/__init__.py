"""The page that is shown to others: a study's results as one HTML file that needs nothing else."""
