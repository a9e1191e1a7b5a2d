"""Text to words, and words to ids."""
