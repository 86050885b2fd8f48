"""Run clips through the network, and one video from end to end."""
