"""What a release means for the files of a deployment: its settings, its compose file, its overrides. No container."""
