"""Measurements: one module a question, results as JSON with machine, commit and model hash."""
