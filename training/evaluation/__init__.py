"""Scores on test documents, and drift from the training documents."""
