"""From a video file to clips: containers, timestamps, decoding and sampling."""
