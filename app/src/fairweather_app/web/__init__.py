"""The page: the forecast for people, at ``/``.

`blueprint` is all the app needs. Behind it, one idea a module:

- `pages`: the routes, and the Content-Security-Policy of everything they answer;
- `view`: from a forecast to days, hours and the numbers of the chart;
- `refusal`: from an error to a page that says what can be asked instead;
- `words`: sentences about numbers;
- `local_time`: the area's clock and calendar;
- `sun`: when it is night;
- `assets`: the page's own files, packed when that is accepted.

Arrows point one way: the page uses the app, nothing in the app uses the page.
"""

from fairweather_app.web.pages import blueprint

__all__ = ["blueprint"]
