"""Tag many videos: inputs, jobs, workers, the journal of results, and the tables."""
