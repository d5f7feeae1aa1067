"""The demonstration: a believable shop behind a gateway, and the story that is told with it."""
