"""Predictions by the active models."""
