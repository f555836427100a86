"""Mirrors objects to a bucket in another AWS partition, in order for each key."""
