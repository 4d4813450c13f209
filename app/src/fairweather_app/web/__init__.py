"""The pages for people: the forecast at ``/``, the models, their coverage, the API's document.

- `forecast/`: the forecast page and the page of a refusal;
- `model_pages/`: the pages about models, and the addresses that people and programs share;
- `layout/`: what all pages share: rendering, assets, the reader's preferences, units, wording;
- `docs`: the HTTP API as a page.
"""

from fairweather_app.web import docs
from fairweather_app.web.forecast import page
from fairweather_app.web.layout.rendering import blueprint
from fairweather_app.web.model_pages.negotiation import offer_pages

__all__ = ["blueprint", "docs", "offer_pages", "page"]
