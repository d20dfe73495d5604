"""The order in which schemas have to be uploaded."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from reach_mcp.analysis import pieces
from reach_mcp.analysis.graph import DependencyGraph, Selection, find_components
from reach_mcp.analysis.results import UploadOrder


def find_upload_order(graph: DependencyGraph, selection: Selection = None) -> UploadOrder:
    """Order the schemas that selected live rows and their missing records have, by what refers to what.

    A row refers to the schema of each record that it lists. References within one schema give no order.
    """
    references = _count_references(graph, selection)
    edges: dict[str, list[str]] = {}
    for source, target in sorted(references):
        edges.setdefault(source, []).append(target)
        edges.setdefault(target, [])
    numbers = {schema_id: number for number, schema_id in enumerate(sorted(edges))}
    schema_ids = list(numbers)
    components = find_components(
        {numbers[source]: [numbers[target] for target in edges[source]] for source in schema_ids}
    )
    display = graph.snapshot.names.display
    ranked = sorted(
        ((display(source), display(target), rows) for (source, target), rows in references.items() if source != target),
        key=lambda reference: (-reference[2], reference),
    )
    return UploadOrder(
        schemas=tuple(tuple(sorted(display(schema_ids[number]) for number in group)) for group in components),
        references=tuple(ranked),
    )


def _count_references(graph: DependencyGraph, selection: Selection) -> Counter[tuple[str, str]]:
    """(schema of the row, schema of a record that it lists) to the number of such rows."""
    schema_of = [schema_id for schema_id, _ in graph.snapshot.keys]
    missing, key_of = graph.missing, graph.key_of
    rows = graph.selected(selection)
    schema = schema_of.__getitem__
    one = [row for row in rows if len(missing[row]) == 1]
    targets = map(schema, chain.from_iterable(map(missing.__getitem__, one)))
    single = zip(map(schema, map(key_of.__getitem__, one)), targets, strict=True)
    several = [
        (schema_of[key_of[row]], target)
        for row in rows
        if len(missing[row]) > 1
        for target in {schema_of[key] for key in missing[row]}
    ]
    return pieces.count(chain(single, several))
