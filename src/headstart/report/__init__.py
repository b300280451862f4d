"""What a study found, in words and tables; reads records, never models."""
