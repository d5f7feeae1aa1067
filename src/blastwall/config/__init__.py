"""The one configuration file, `blastwall.yaml`: its model, and a loader whose errors name file and line."""
