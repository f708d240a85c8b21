"""Docker Compose: the command, and the compose model of one stack."""
