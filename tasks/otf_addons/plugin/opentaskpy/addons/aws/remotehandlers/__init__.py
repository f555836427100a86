"""What the framework calls, each under the name that a protocol has in a definition; and their JSON schemas."""
