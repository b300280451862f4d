"""Pretraining of one language model on blocks of tokens: steps, evaluation, states; reads no corpus."""
