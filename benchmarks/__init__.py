"""Measurements, side by side on one machine; ``make bench`` runs them all and writes docs/performance.md."""
