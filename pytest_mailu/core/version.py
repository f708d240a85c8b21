"""The version of this package, which reports and recordings name. It is that of pyproject.toml."""

__version__ = "0.1.0"
