"""Checkpoints of fairseq: what of them becomes a Hugging Face folder."""
