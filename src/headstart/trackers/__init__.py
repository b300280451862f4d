"""Where curves of training go: one file a service, behind one protocol."""
