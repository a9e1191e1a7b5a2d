"""Protocols that clients already speak, over the same service."""
