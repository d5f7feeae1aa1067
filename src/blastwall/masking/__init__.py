"""What is hidden in results and recordings, and how; it changes when what counts as personal data changes."""
