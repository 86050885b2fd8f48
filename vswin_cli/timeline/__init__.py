"""From logits to a score track, from scores to segments, and the record that holds them."""
