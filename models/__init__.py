"""Trained detectors with their cards, and the workshop that makes them."""
