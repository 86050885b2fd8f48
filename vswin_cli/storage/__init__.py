"""Local and remote files: reading, writing, downloading, and the user's configuration."""
