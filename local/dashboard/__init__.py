"""A picture of the deployment's dashboard, drawn from the metrics of the stack on this machine."""
