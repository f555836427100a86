"""One module a row; each has a `ROW`."""
