"""From observations to training windows: sampling, split, climatology, branches, statistics."""
