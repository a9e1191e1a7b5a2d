"""The HTML report of a training, and example texts."""
