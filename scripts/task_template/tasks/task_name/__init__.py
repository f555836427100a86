"""Logs the size of each object that is created in a bucket."""
