"""Bucket Brigade's tasks: each folder is one Lambda package, `utils` is what they share."""
