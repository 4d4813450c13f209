"""One training: in a process of its own, from prepared windows to a delivery."""
