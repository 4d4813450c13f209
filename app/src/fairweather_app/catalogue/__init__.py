"""Deliveries: from the store to the snapshot of what can be served."""
