"""The offline job that makes an artifact."""
