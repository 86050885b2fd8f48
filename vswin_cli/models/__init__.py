"""Network and weights; empty so that importing a neighbour never loads torch unasked."""
