"""What pytest sees: options, collection, items, commands, fixtures, and the channel to the workers of pytest-xdist."""
