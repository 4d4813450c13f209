"""``python -m fairweather_research`` is ``fairweather-research``."""

from fairweather_research.cli import main

main()
