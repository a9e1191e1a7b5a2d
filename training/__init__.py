"""The offline job that trains, evaluates and writes an artifact."""
