"""The acceptance questions over planted tenants, graded without a model."""
