"""``python -m fairweather_research`` is ``fairweather-research``."""

from fairweather_research.cli.main import main

main()
