"""Many videos: what to do, who does it, what has been done, and the tables at the end."""
