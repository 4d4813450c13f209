"""Threads that run beside requests: the poller, the recorder, the preload at start."""
