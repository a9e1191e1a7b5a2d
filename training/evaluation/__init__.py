"""Scores on documents that the network never saw, and drift."""
