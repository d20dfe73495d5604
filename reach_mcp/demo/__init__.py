"""A Reach API in memory, with tenants that tell a story."""
