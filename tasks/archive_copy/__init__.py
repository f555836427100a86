"""Copies restored objects to the archive bucket that their extension names."""
