"""Words that answers use, for people and models that ask; nothing here is needed to read an answer."""

GLOSSARY = """\
# Reach batches: glossary

## Statuses of a batch
- `success`, `partial_success`, `failure`, `processing`. None of them says that records wait: look at the pending count.

## Types of a batch
- `PARTNER_RESOURCE_JSON_INGEST`: an upload of up to 1,000 records of one schema.
- `PARTNER_RESOURCE_BATCH_DELETE`, `PARTNER_RESOURCE_BATCH_PATCH`: deletions and changes.

## Terms
- **pending resource** (row): a record stored because something that it refers to is missing. It is processed by itself
  when that arrives, and deleted when its time (`expiresAt`) is over; then it has to be sent again.
- **missing dependency**: the record it refers to, by schema definition id and external id.
- **root blocker**: a missing dependency that is not itself pending: it has to be sent.
- **direct**: rows that list the blocker. **waiting**: rows that wait for it directly or through other pending
  resources.
- **frees**: rows that clear, in turn, if this blocker alone arrives. A row that lists two is freed by neither alone.
- **chain**: the way from a waiting row down to a root blocker. **circle**: pending resources that wait for one another;
  they never clear by themselves. **stuck**: rows in or behind a circle.
- **wave**: what can be sent together; a later wave refers to an earlier one.
- **cause**: `failed` (another batch's errors name it), `deleted` (a DELETE batch's record names it), `similar` (an id
  that was seen is nearly the same), `not_seen` (in the batches read; it may have been sent all the same).
- **coverage**: what was read, of what there is. Counts over less than all say so.
- **handle**: a short name for a blocker, such as `b-k3x9q`, valid in `focus` and `assume_arrived`.
"""
