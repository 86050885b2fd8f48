"""Read and write checkpoint files in every public layout."""
