"""When a stack is ready to be asked."""
