"""Pure analysis of one snapshot of batches: no I/O, and the time is an argument.

From rows to answers:

    snapshot, keys, schema_names     light rows over interned keys
    graph, components                the live rows, indexed by who waits for which record
    propagation, waiting, blockers   exact counts of waiting rows, for all root blockers at once
    simulation, gains                what clears when records arrive
    requirements, bundles, plan      what to send first
    cycles, chains, expiry           what never clears, how deep rows wait, when they are lost
    causes and its neighbours        why a record is missing
    report, focus, what_if, diff     the answer to one question, as `results`
"""
