"""The demo: real objects through the real Terraform, queues and zips, on this machine, watched as they travel."""
