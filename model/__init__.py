"""Texts to predictions: tokenizer, network, calibration and artifact, on torch and the standard library alone."""

__version__ = "0.1.0"
"""The version of Docket, in code and not in package metadata: a checkout runs without an installation."""
