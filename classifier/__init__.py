"""Sightline: an image classifier that people and programs can ask."""

__version__ = "0.1.0"
