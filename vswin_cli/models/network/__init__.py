"""The network itself: blocks, attention, and how they run on a CPU."""
