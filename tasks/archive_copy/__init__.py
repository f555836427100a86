"""Copies each restored object to the archive bucket that its extension names."""
