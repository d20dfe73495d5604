"""Pure analysis of one snapshot of batches: no I/O, and the time is an argument.

From rows to answers:

    snapshot, keys, schema_names     light rows over interned keys
    filters, lookup                  the rows and records that a question is about
    graph, waiting, blockers         the live rows by the record that they wait for, counted exactly
    simulation, gains                what clears when records arrive
    bundles, plan, upload_order      what to send first
    cycles, chains, expiry           what never clears, how deep rows wait, when they are lost
    causes, evidence, lookalikes     why a record is missing
    report, focus, what_if, tokens   the answer to one question, as `results`
"""
