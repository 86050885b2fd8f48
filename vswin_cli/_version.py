"""The version, in a file of its own so that any module may name it."""

__version__ = "0.2.0"
