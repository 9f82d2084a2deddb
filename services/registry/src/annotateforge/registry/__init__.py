"""Trained models, their artifacts and activations."""
