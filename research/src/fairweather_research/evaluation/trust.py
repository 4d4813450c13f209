"""How far ahead a model is to be trusted, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from fairweather_research.evaluation.scores import DayScore

_LEAST = 0.05  # skill of a day that counts

_NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def trusted_days(days: Sequence[DayScore]) -> int:
    """Return how many days, from day 1 without a gap, have a skill of at least 5 %."""
    for count, day in enumerate(days):
        if day.day != count + 1 or day.skill is None or day.skill < _LEAST:
            return count
    return len(days)


def trust_sentence(series: Sequence[tuple[str, Sequence[DayScore]]]) -> str:
    """Say for how many days each variable is to be trusted, the least over its areas.

    Args:
        series: of each area and variable, the variable's name for people and the scores by day.
    """
    least: dict[str, int] = {}
    for name, days in series:
        found = trusted_days(days)
        least[name] = min(found, least.get(name, found))
    if not any(least.values()):
        return "No day of its forecasts is better than the usual for the season."
    by_count: dict[int, list[str]] = {}
    for name, count in least.items():
        by_count.setdefault(count, []).append(name)
    parts: list[str] = []
    for count, names in sorted(by_count.items(), reverse=True):
        number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
        noun = "" if parts else " days" if count > 1 else " day"
        parts.append(f"{number}{noun} of {' and '.join(names)}")
    whole = all(trusted_days(days) == len(days) for _, days in series)
    rest = "the whole of its horizon" if whole else "after that the usual for the season"
    return f"To be trusted for {', '.join(parts)}; {rest}."
