"""What the pages mean. Pure: nothing here reads, awaits or asks the time; the clock comes as an argument.

`design.md`'s words hold throughout: a *key* is (schemaDefinitionId, externalId), a *row* is a pending resource, a *root
blocker* is a key that rows list as missing and that no pending row bears.
"""
