"""What a text means to the network: plain and synchronous, on torch and the standard library alone."""
