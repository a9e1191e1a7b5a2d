"""The batching of documents into calls of the network, and its supervision."""
