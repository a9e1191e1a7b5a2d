"""Tests of model/text/."""
