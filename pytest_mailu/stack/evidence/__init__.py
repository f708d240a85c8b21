"""What can be seen inside a stack: commands, log lines and what they usually mean."""
