"""How results of public functions print, stand in notebooks, and become data frames: a view for each type."""
