"""The environment of the services, and its variants."""
