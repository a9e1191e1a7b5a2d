"""What a text means to the network: plain and synchronous, on torch and the standard library alone."""

__version__ = "0.1.0"
"""Docket's. It stands here and not in the package's metadata, so that a checkout runs without being installed."""
