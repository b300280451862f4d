"""The study file: its types, its reader, and the runs it stands for."""
