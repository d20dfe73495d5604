"""How fast, and in how much memory: a big tenant, an API that serves it, and what explaining it costs."""
