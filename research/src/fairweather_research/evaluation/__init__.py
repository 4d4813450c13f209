"""Scores on held-out time, interval coverage, bootstrap intervals."""
