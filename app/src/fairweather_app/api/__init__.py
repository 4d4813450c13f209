"""The HTTP interface: requests, responses, routes, problems, metrics and the OpenAPI document."""
