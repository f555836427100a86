"""The demo: objects travel through the project's own Terraform, queues and zips, on this machine."""
