"""What can be done with the gateway: the use-cases behind every face, and the one place that authorizes them."""
