"""The sealed surroundings of a stack, from the side of the plugin."""
