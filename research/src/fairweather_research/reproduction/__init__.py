"""Train a delivery again and compare."""
