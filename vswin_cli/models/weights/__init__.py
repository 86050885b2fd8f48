"""Published weights: what there is, where it comes from, and how it gets here."""
