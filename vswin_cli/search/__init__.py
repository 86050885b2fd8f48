"""Find moments of indexed videos that are like a given one, by their features."""
