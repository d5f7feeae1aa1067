"""The only place that constructs everything: from a configuration file to a running gateway, and to a reloaded one."""
