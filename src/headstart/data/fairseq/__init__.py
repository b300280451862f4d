"""fairseq's data: its dictionary, its binarised folders and the texts that they hold."""
