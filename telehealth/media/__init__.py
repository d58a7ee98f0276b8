"""The media process: what handles packets of sound and picture, never in the signalling loop."""
