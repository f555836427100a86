"""The commands: `brigade NAME` runs `command` of the module with that name."""
