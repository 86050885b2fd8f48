"""The command line; nothing below this package may import from it."""
