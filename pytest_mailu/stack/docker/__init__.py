"""The Docker engine: images, networks, labels, events and clean-up."""
