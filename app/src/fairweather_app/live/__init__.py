"""Live scores: the app's past forecasts held against what came. Told, and never ranked by.

`kept` writes forecasts down in the app's database, `scores` holds them against observations,
`recorder` does both the writing and the shadows' predictions beside the requests, on a thread.
"""

from fairweather_app.live.kept import KeptForecast
from fairweather_app.live.scores import LiveScore, LiveScores

__all__ = ["KeptForecast", "LiveScore", "LiveScores"]
