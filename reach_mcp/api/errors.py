"""Placeholder until the api package is written."""


class ReachError(Exception):
    retry_after: float | None = None
