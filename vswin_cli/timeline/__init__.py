"""Turn logits into a score track, scores into segments, and keep both as a timeline."""
