"""Checks uploaded file sets, publishes those that are right, and tells people once."""
