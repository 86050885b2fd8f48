"""Train networks on a user's own examples: read and split them, fit, and measure."""
