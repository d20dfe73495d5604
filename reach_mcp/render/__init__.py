"""Answers in the forms that a host receives: typed results in, structured content and text out. No I/O."""
