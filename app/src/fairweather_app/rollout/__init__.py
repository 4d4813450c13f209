"""Promotion by evidence: comparing past forecasts, the states of deliveries, and their rows."""
