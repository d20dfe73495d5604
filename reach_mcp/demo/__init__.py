"""A Reach API in memory, with one tenant that tells a story. Imports nothing else of this package."""
