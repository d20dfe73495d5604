"""`report`: one page for people, as Markdown and HTML, whatever the tenant's texts are."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from reach_mcp.cli.report_html import LABEL_CHARS
from tests.builders import batch, page, pending
from tests.cli.helpers import NOW, STORY, demo_transport, run
from tests.demo.hostile import HOSTILE
from tests.fakes import ScriptedTransport

CHAPTERS = [
    "What is lost next",
    "What is lost already",
    "What to do, best first",
    "Which records are missing, and why",
    "Cycles and the longest chain",
    "Batches that failed",
    "Message to the customer",
    "What this report does not know",
]
BAD_IDS = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "a\u202eb", "[x](javascript:alert(1))"]
BAD_IDS += ["`` ` code", "a|b\\|![i](http://e.example)", "www.e.example #1 @x", "--> end;\n```\n# Title", "\ud800"]
WORDS = re.compile(r"[\w-]+")
TAGS = {*WORDS.findall("html meta title style h1 h2 h3 p main section table thead tbody tr th td div code ul li label")}
TAGS |= {*WORDS.findall("input span pre figure figcaption svg g rect text path")}
ATTRIBUTES = {*WORDS.findall("lang charset name content http-equiv class data-name type role viewbox width height x y")}
ATTRIBUTES |= {"rx", "d", "transform"}
HIDDEN = {*map(chr, (*range(10), *range(11, 32), 0x7F, 0x202E, 0x200B)), "\ud800"}


@cache
def demo_report(form: str = "markdown") -> str:
    return run("report", "--format", form).stdout


def report(*batches: dict[str, Any], form: str = "markdown") -> str:
    return run("report", "--format", form, transport=ScriptedTransport(page(*batches))).stdout


def chapter(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def hostile_batches() -> list[dict[str, Any]]:
    """Bad ids in each part: missing, failed, alike, expired, in a chain and in a cycle."""
    rows = [pending(f"a:{bad}", f"a:{bad}2", f"{bad}:m") for bad in BAD_IDS]
    rows += [pending(f"a:{bad}2", f"a:{bad}", id=f"two{bad}") for bad in BAD_IDS]
    rows += [pending(f"b:{bad}", f"c:{bad}3", expires=-1, id=f"old{bad}") for bad in BAD_IDS]
    rows += [pending(f"d:{bad}", f"e:{bad}", id=f"d{bad}") for bad in BAD_IDS]
    rows += [pending(f"e:{bad}", f"f:{bad}", id=f"e{bad}") for bad in BAD_IDS]
    failed = {bad: ([bad], [bad]) for bad in BAD_IDS}
    wholes = [batch(f"w{bad}", status="failure", schema=bad, message=bad) for bad in BAD_IDS]
    return [batch(f"b{BAD_IDS[0]}", *rows), batch("f", schema="f", failed=failed), *wholes]


class Page(HTMLParser):
    """Tags, attributes and text of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_demo_fills_every_chapter_in_the_readers_zone() -> None:
    result = run("report", "--demo", transport=demo_transport())

    assert (result.exit_code, result.stderr) == (1, "")
    assert re.findall("^## (.*)", result.stdout, re.MULTILINE) == CHAPTERS
    assert result.stdout.splitlines()[:3] == [
        "# Records that wait in tenant `northwind`",
        "",
        "As of 23 Nov 2026 13:00 UTC+01:00, 692 records wait for 43 missing records (read from all 142 batches). If "
        "nothing is sent, 692 records are lost within 24 hours, the first on 23 Nov 13:10 UTC+01:00; 38 records are "
        "lost already.",
    ]


def test_plan_and_timeline_are_those_of_explain() -> None:
    text = demo_report()
    plan = json.loads(run("explain", "--view", "plan", "--json").stdout)["plan"]["steps"]["items"]
    hours = json.loads(run("explain", "--view", "expiry", "--json").stdout)["expiry"]["hours"]["items"]
    lost = json.loads(run("explain", "--view", "expired", "--json").stdout)["expired"]["records"]["items"]

    steps = re.findall(r"- \[ \] [\w ,]+: `(?:\w+):(.+?)`.*, frees (\d+)", chapter(text, CHAPTERS[2]))
    assert steps == [(step["record"]["external_id"], str(step["gain"])) for step in plan]
    assert re.findall(r"\| (\d+) \| \u2588", chapter(text, CHAPTERS[0])) == [str(hour["rows"]) for hour in hours]
    assert all(f"`{row['record']['schema']}:{row['record']['external_id']}`" in text for row in lost)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (CHAPTERS[0], "cycles (11)"),
        (CHAPTERS[2], "Resend `invoices:inv_9001` without its reference to `transactions:txn_9002`, then complete it"),
        (CHAPTERS[2], "then `invoices` and `transactions`, then `appointments`"),
        (CHAPTERS[3], "rejected it on 22 Nov 22:03 UTC+01:00: `lastName is required`; 2 later batches may have"),
        (CHAPTERS[3], "like `customers:cust_8841`, failed in batch `bat_cus_0912`: has the prefix cust\\_"),
        (CHAPTERS[3], "may be in batch `bat_cus_0952`, which is still processing (0 of 800 records done)"),
        (CHAPTERS[3], "`bat_loc_0936` deleted it"),
        (CHAPTERS[4], '    n3(["customers:cust_4417"])\n    n0 --> n1\n'),
        (CHAPTERS[4], "    n0 -. leave out .-> n1\n"),
        (CHAPTERS[4], "    n5 --> n0\n"),
        (CHAPTERS[5], "| `bat_cus_0918` | `customers` |"),
        (CHAPTERS[6], "- locations loc_harbor_12, before"),
        (CHAPTERS[6], '- customers "cust_6120 ": do you mean cust_6120?'),
        (CHAPTERS[6], "38 records are lost already and have to be sent again: transactions txn_1001"),
        (CHAPTERS[7], "counters say 741 pending, the API lists 730"),
    ],
)
def test_the_demo_is_told_in_plain_words(title: str, text: str) -> None:
    assert text in chapter(demo_report(), title)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [("-o a.html", "<!doctype"), ("-o a.HTM", "<!doctype"), ("-o a.md", "# "), ("-o a --format html", "<!doctype")],
)
def test_the_form_follows_the_name_of_the_file(
    arguments: str, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("report", *arguments.split())
    name = arguments.split()[1]

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Wrote {name}.\n")
    assert Path(name).read_text(encoding="utf-8").startswith(start)
    assert run("report", *arguments.split()).stderr == f"Replaced {name}.\n"


@pytest.mark.parametrize("name", ["x.pdf", "x", ".html"])
def test_a_file_of_an_unknown_ending_is_refused_before_anything_is_read(name: str) -> None:
    result = run("report", "-o", name, transport=ScriptedTransport())

    assert result.exit_code == 2
    assert f"{name}: name a file that ends in .md, .markdown, .html or .htm, or add --format." in result.stderr


def test_the_message_names_all_of_twenty_rejected_records_and_the_page_no_option() -> None:
    failed = {f"c{number:02}": ([f"wrong {number}"], ["VALIDATION_ERROR"]) for number in range(21)}
    rows = [pending(f"o:{name}", f"c:{name}") for name in failed]
    message = chapter(report(batch("b", *rows, pending=50), batch("f", schema="c", failed=failed)), CHAPTERS[6])

    assert message.count(": wrong ") == 20
    assert "- and 1 more" in message
    assert "(--view" not in demo_report()


def test_a_file_that_can_not_be_written_is_wrong_usage(tmp_path: Path) -> None:
    result = run("report", "-o", str(tmp_path / "none" / "a.md"))

    assert result.exit_code == 2
    assert "can't be written" in result.stderr


def test_the_page_needs_no_script_and_no_network_and_has_light_dark_and_print_styles() -> None:
    text = demo_report("html")
    found = Page(text)

    assert found.tags <= TAGS
    assert not found.attributes & {"src", "href", "style", "onclick"}
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert text.count('type="checkbox"') == 44
    for rule in ("prefers-color-scheme: dark", "max-width: 40rem", "@media print"):
        assert rule in text


@pytest.mark.parametrize("batches", [hostile_batches(), [upload.to_wire(NOW) for upload in HOSTILE]])
def test_no_text_of_the_tenant_acts_in_html(batches: list[dict[str, Any]]) -> None:
    text = report(*batches, form="html")
    found = Page(text)

    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert "<script>alert(1)</script>" in found.text
    assert not set(text) & HIDDEN


@pytest.mark.parametrize("batches", [hostile_batches(), [upload.to_wire(NOW) for upload in HOSTILE]])
def test_no_text_of_the_tenant_acts_in_markdown(batches: list[dict[str, Any]]) -> None:
    text = report(*batches)
    tokens = MarkdownIt("gfm-like", {"html": True}).parse(text)
    inline = {child.type for token in tokens for child in token.children or ()}
    titles = [after.content for token, after in pairwise(tokens) if token.type == "heading_open" and token.tag < "h3"]
    drawn = [line for token in tokens if token.info == "mermaid" for line in token.content.splitlines()[1:]]

    assert inline <= {"text", "code_inline", "text_special"}
    assert {token.type for token in tokens if "html" in token.type} == set()
    assert set(titles) <= {"", "Records that wait", *CHAPTERS}
    node, edge = r"n\d+\(?\[\"(?:\w|[ .:/-]|#\d+;)*\"\]\)?", r"n\d+ (?:-->|-\. leave out \.->) n\d+"
    assert all(re.fullmatch(f"    (?:{node}|{edge})", line) for line in drawn)
    assert not set(text) & HIDDEN
    widths = [len(re.findall(r"<t[hd]", row)) for row in MarkdownIt("gfm-like").render(text).split("<tr>")[1:]]
    assert set(widths) <= {2, 3, 4, 5, 6}


def ring(size: int, *, dense: bool = False) -> list[dict[str, Any]]:
    """Records of which each waits for the next, or for all others."""
    names = [f"a:{number:03}" for number in range(size)]
    return [pending(one, *(names if dense else [names[(at + 1) % size]])) for at, one in enumerate(names)]


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        (ring(1), ["n0 -. leave out .-> n0", "1 record is stuck in it and 0 behind it"]),
        (ring(30), ['n11["19 more"]', "n10 --> n11", "n11 --> n0"]),
        (ring(12, dense=True), ["more references are not drawn)", "n1 -. leave out .-> n2"]),
        ([*ring(2)[1:], pending("a:000", "a:001", "z:1")], ["Its members wait for 1 missing record too."]),
        (
            [pending(f"a:{n:03}", f"a:{n + 1:03}") for n in range(30)],
            ['n11["20 more"]', "1 record waits directly, 29 through others"],
        ),
    ],
)
def test_drawings_have_at_most_twelve_boxes(rows: list[dict[str, Any]], texts: list[str]) -> None:
    text = chapter(report(batch("b", *rows)), CHAPTERS[4])

    assert len(re.findall(r"^    n\d+\(?\[", text, re.MULTILINE)) <= 12
    assert [wanted for wanted in texts if wanted not in text] == []


def test_long_labels_lose_their_middle_and_keep_it_as_a_title() -> None:
    name = "first" + "x" * 60 + "\u9867\u5ba2" * 20 + "last"
    text = report(batch("b", pending(f"a:{name}", f"a:{name}")), form="html")

    assert f"<title>a:{name}</title>" in text
    assert 20 < len(re.findall(r"<text[^>]*>(a:first.*\u2026.*last)</text>", text)[0]) <= LABEL_CHARS + 1


@pytest.mark.parametrize(
    ("batches", "proof"),
    [
        ([batch("b", pending("o:1", "c:1"), pending("c:1", "d:1", expires=-1))], "waited itself in batch `b`, lost on"),
        ([batch("b", pending("o:1", "c:1"), pending("c:1", expires=-1))], "missed nothing"),
        ([batch("b", pending("o:1", "c:1")), batch("w", status="failure", schema="c")], "failed as a whole on"),
        ([batch("b", pending("o:1", "c:1")), batch("f", schema="c", failed={"1": ([], [])})], "`no reason given`"),
    ],
)
def test_evidence_is_in_plain_words(batches: list[dict[str, Any]], proof: str) -> None:
    assert proof in chapter(report(*batches), CHAPTERS[3])


def test_a_long_list_says_how_to_get_the_rest() -> None:
    rows = [pending(f"o:{number}", f"c:{number}") for number in range(101)]
    wholes = [batch(f"w{number}", status="failure") for number in range(101)]
    text = report(batch("b", *rows), *wholes)

    assert text.count("These are 100 of 101. All: `embedreach-mcp explain --view") == 2
    assert "Failed as a whole, 100 of 101" in text
    assert "- and 91 more" in chapter(text, CHAPTERS[6])


def test_an_incomplete_reading_is_said_to_both_readers() -> None:
    first = page(batch("b", pending("o:1", "c:1")), cursor="next", total=2)
    text = run("report", transport=ScriptedTransport(first, *[403] * 9)).stdout

    assert "(read from 1 batch, but not from all)" in text
    assert "Not everything was read: 1 of 2 batches; " in chapter(text, CHAPTERS[7])
    assert "this list may be incomplete" in chapter(text, CHAPTERS[6])


def test_a_tenant_without_trouble_gets_a_short_report_and_zero() -> None:
    result = run("report", transport=demo_transport(STORY["healthy"]))

    assert result.exit_code == 0
    assert "no record waits (read from all" in result.stdout
    assert "None is lost within 24 hours." in result.stdout
    assert re.findall("^## (.*)", result.stdout, re.MULTILINE) == CHAPTERS[-1:]


@pytest.mark.parametrize(
    ("expires", "text"), [("9999-12-31T23:30:00Z", "31 Dec 9999 23:00 UTC |"), (99.5, "27 Nov 16")]
)
def test_deadlines_are_dates_with_a_zone(expires: Any, text: str) -> None:
    assert text in chapter(report(batch("b", pending("o:1", "c:1", expires=expires))), CHAPTERS[0])


def test_rows_without_a_readable_deadline_have_no_timeline() -> None:
    text = report(batch("b", pending("o:1", "c:1", expires="soon"), pending("o:2", "c:1", expires=-1)))

    assert chapter(text, CHAPTERS[0]) == ""
    assert "frees 1 (1 so far)\n" in text
    assert "1 record is lost already and has to be sent again: o 2." in text


def test_rows_that_list_nothing_need_no_plan() -> None:
    text = report(batch("b", pending("o:1")))

    assert CHAPTERS[2] not in text
    assert "1 of your records waits.\n\nIf nothing is sent, 1 record is lost within 24 hours" in text
    assert "1 pending resource lists nothing missing and is still pending." in chapter(text, CHAPTERS[7])
