"""The pages for people: the forecast at ``/``, the models, their coverage.

`blueprint` and `offer_pages` are all the app needs; importing `api_page` adds its addresses. Behind
them, one idea a module:

- `pages`: the forecast page; `models_pages`: the pages about models; `negotiation`: addresses
  that people and programs share;
- `rendering`: what all pages have in common, their Content-Security-Policy included; `assets`:
  their static files; `remembered`: the reader's choices;
- `view`, `tables`, `chart`: from a forecast to words, rows and the numbers of a chart;
- `observed`: what was observed before it, and what came of it;
- `refusal`, `suggestions`: from an error to a page that says what can be asked instead;
- `api_page`: the HTTP interface as a page;
- `declared`, `coverage`: what the pages about models say;
- `words`: sentences about numbers; `units`: °C and °F; `local_time`: the area's clock and
  calendar; `sun`: when it is night.

Arrows point one way: the pages use the app, nothing in the app uses the pages.
"""

from fairweather_app.web import api_page
from fairweather_app.web.negotiation import offer_pages
from fairweather_app.web.pages import blueprint

__all__ = ["api_page", "blueprint", "offer_pages"]
