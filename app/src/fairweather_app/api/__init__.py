"""The HTTP interface: what goes over the wire (`schemas`), the routes, problems, OpenAPI.

Everything here depends on the rest of the app; of the rest, only `schemas` is used elsewhere.
"""
