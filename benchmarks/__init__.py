"""Benchmarks: seeded tenants, an API that serves them, and the commands that measure the server."""
