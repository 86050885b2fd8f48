"""The network, its checkpoints and weights; empty so that importing one part loads no torch."""
