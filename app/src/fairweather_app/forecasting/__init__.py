"""From a request to a forecast: selection, ranking, precedence, and the log of forecasts."""
