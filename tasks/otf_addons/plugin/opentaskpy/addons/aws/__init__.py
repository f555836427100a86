"""The AWS add-on, under the names by which Open Task Framework finds it."""
