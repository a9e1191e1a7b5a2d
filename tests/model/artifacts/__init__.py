"""Tests of model/artifacts/."""
