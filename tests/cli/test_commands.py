"""`list`, `batch` and `explain`: what they print and how they end."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import httpx
import pytest

from tests.builders import batch, page, pending
from tests.cli.helpers import NOW, STORY, demo_transport, run
from tests.demo.hostile import HOSTILE
from tests.fakes import ScriptedTransport


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("list", 1, "142 batches: 101 success, 38 partial_success, 2 processing, 1 failure."),
        ("list --status failure", 1, "bat_cus_0918  failure"),
        ("list --status Failed", 1, "bat_cus_0918  failure"),
        ("list --batch-type patch", 1, "no resource with this externalId exists"),
        ("list --batch-type PARTNER_RESOURCE_BATCH_DELETE", 1, "1 batch matches: 1 partial_success."),
        ("list --only-pending --limit 2", 1, "Batches, 2 of 20"),
        ("list --created-after 3m", 0, "1 batch matches: 1 processing."),
        ("list --created-before 2026-11-14", 0, "No batch matches."),
        ("batch bat_cus_0918", 1, "Payload could not be read"),
        ("batch bat_txn_0933", 1, "96 live pending resources wait for 13 records"),
        ("batch bat_txn_0898", 1, "34 resources have expired and are lost"),
        ("batch bat_txn_0944", 1, "Messages of 0 of 5 failed records are listed"),
        ("batch bat_cus_0950", 0, "success"),
        ("explain", 1, "692 live pending resources in 19 batches wait for 43 missing records."),
        ("explain --view blockers --cause looks_like", 1, "Missing records (cause: looks like another id)"),
        ("explain --view expiry", 1, "locations:loc_annex_02 (26)"),
        ("explain --view expired --limit 3", 1, "Records to resend, 3 of 38"),
        ("explain --view cycles", 1, "invoices:inv_9001 without its reference to transactions:txn_9002"),
        ("explain --view resources --schema appointments", 1, "appointments:apt_5001"),
        ("explain --view counters", 1, "bat_inv_0901"),
        ("explain --schema locations", 0, "Nothing that matches the filter waits."),
        ("explain --focus appointments:apt_5001", 1, "transactions:txn_7001 > customers:cust_4417"),
        ("explain --focus customers:cust_2201", 1, "Evidence: batch bat_cus_0912: email is not a valid address"),
        ("explain --focus invoices:inv_9001", 1, "It is in or behind 1 cycle"),
        ("explain --focus transactions:txn_1001", 1, "it is lost, resend it"),
        ("explain --focus customers:cust_4471", 2, "Did you mean"),
        ("explain --focus nope", 2, "it may exist.\nName a record as schema:external_id, and a batch by its id.\n"),
        ("explain --focus bat_txn_0933", 1, "Waits for\n"),
        (
            "explain --assume-arrived locations:loc_harbor_12",
            1,
            "424 resources would clear and 268 resources would still wait",
        ),
        ("explain --assume-arrived locations:nosuch", 1, "Nothing waits for"),
    ],
)
def test_a_command_prints_its_answer_and_ends_by_what_it_found(arguments: str, code: int, text: str) -> None:
    result = run(*arguments.split())

    assert (result.exit_code, result.stderr) == (code, "")
    assert text in result.stdout


@pytest.mark.parametrize("command", ["list", "explain", "batch bat_ok_0001"])
def test_a_tenant_without_trouble_ends_with_zero(command: str) -> None:
    assert run(*command.split(), transport=demo_transport(STORY["healthy"])).exit_code == 0


def test_a_batch_that_partly_failed_counts_without_counters() -> None:
    transport = ScriptedTransport(page({"batchId": "b", "status": "partial_success", "batchType": "X", "progress": {}}))
    result = run("list", transport=transport)

    assert result.exit_code == 1
    assert "1 batch has absent or unreadable counters" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("list --schema custmers", "customers"),
        ("explain --schema custmers", "customers"),
        ("batch nosuch", "embedreach-mcp list shows the ids"),
        ("list --limit 0", "0 is not in the range"),
        ("list --status bad", "'bad' is not one of"),
        ("list --created-after soon", "--created-after is not a time"),
        ("list --created-after 2027-01-01", "--created-after is in the future"),
        ("list --batch-type upload", "'upload' is not one of"),
        ("batch", "Missing argument 'BATCH_ID'"),
        ("serve --port 1", "--host, --port and --workers need --http"),
        ("explain --since nonsense", "token"),
        ("nosuch", "No such command 'nosuch'.\n"),
        ("confg", "No such command 'confg'. Did you mean config?\n"),
        ("list --watch 9", "9 is not in the range"),
        ("list --watch --json", "--watch shows tables"),
        ("list --watch --created-after soon", "--created-after is not a time"),
        ("explain --watch --since start", "makes its own tokens"),
        ("explain --watch --schema custmers", "customers"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: str, text: str) -> None:
    result = run(*arguments.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"REACH_API_TOKEN": ""}, "REACH_JWT_SECRET_FILE; or add --demo to try it without one.\n"),
        ({"REACH_API_TOKEN": "${REACH_API_TOKEN}"}, "REACH_API_TOKEN"),
        ({"REACH_API_URL": "nonsense"}, "REACH_API_URL"),
        ({"REACH_MCP_AUTH_TOKN": "x"}, "did you mean REACH_MCP_AUTH_TOKEN?"),
    ],
)
def test_wrong_configuration_ends_with_two(environment: dict[str, str], text: str) -> None:
    result = run("list", **environment)

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


@pytest.mark.parametrize("command", ["list", "batch bat_cus_0950", "explain", "demo"])
def test_every_command_names_an_unknown_setting(command: str) -> None:
    result = run(*command.split(), REACH_MCP_FANCY="x")

    assert result.stderr == "Warning: unknown setting, ignored: REACH_MCP_FANCY\n"
    assert "REACH_MCP_FANCY" not in result.stdout


@pytest.mark.parametrize(
    ("answer", "text"),
    [(httpx.ConnectError("refused"), "can't be reached"), (418, "418"), (b"<html>", "JSON")],
)
def test_a_reach_that_can_not_be_asked_ends_with_three(answer: Any, text: str) -> None:
    result = run("list", transport=ScriptedTransport(lambda _: answer))

    assert result.exit_code == 3
    assert text in result.stderr


@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_reach_refuses_ends_with_two(status: int) -> None:
    result = run("list", transport=ScriptedTransport(status))

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"({status})" in result.stderr


def test_a_partner_token_without_a_tenant_is_told_the_option() -> None:
    result = run("list", REACH_API_TOKEN="demo-partner")

    assert "Name the tenant in --tenant-id, or set REACH_TENANT_ID." in result.stderr


def test_an_error_quotes_the_upstream_text_without_control_characters() -> None:
    body = httpx.Response(400, json={"success": False, "message": "no\x1b[31m way"})
    result = run("list", transport=ScriptedTransport(lambda _: body))

    assert "no" in result.stderr
    assert "\x1b" not in result.stderr


def test_a_part_without_findings_ends_with_three() -> None:
    first = page(batch("b1", status="success"), cursor="next", total=2)
    result = run("list", transport=ScriptedTransport(first, *[403] * 9))

    assert result.exit_code == 3
    assert "Incomplete: 1 of 2 batches read" in result.stdout


def test_an_unexpected_exception_ends_with_seventy() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError

    result = run("list", transport=Broken())

    assert result.exit_code == 70
    assert "ZeroDivisionError" in result.stderr
    assert "this is a bug" in result.stderr


@pytest.mark.parametrize("arguments", ["--demo list", "list --demo", "--demo explain --view counters"])
def test_demo_stands_before_or_after_the_command(arguments: str) -> None:
    result = run(*arguments.split(), transport=demo_transport(), REACH_API_TOKEN="")

    assert result.exit_code == 1


def test_json_has_everything_whole() -> None:
    listing = json.loads(run("list", "--scope", "all", "--json").stdout)
    plan = json.loads(run("explain", "--view", "plan", "--format", "json").stdout)

    assert len(listing["batches"]["items"]) == listing["batches"]["total"] == 142
    assert listing["as_of"] == "2026-11-23T12:00:00Z"
    assert len(plan["plan"]["steps"]["items"]) == plan["counts"]["missing_records"] == 43
    assert plan["plan"]["steps"]["items"][0]["record"]["external_id"] == "loc_harbor_12"


def test_json_is_plain_ascii() -> None:
    batches = [upload.to_wire(NOW) for upload in HOSTILE]
    output = run("explain", "--json", "--view", "resources", transport=demo_transport(batches)).stdout

    assert output.isascii()
    assert not set(output) & set("\x1b\x7f\x08")
    assert json.loads(output)["resources"]["total"] == len(HOSTILE) // 2


def test_csv_of_the_plan_has_one_row_for_each_record() -> None:
    plan = rows(run("explain", "--view", "plan", "--format", "csv").stdout)

    assert len(plan) == 43
    assert (plan[0]["schema"], plan[0]["external_id"]) == ("locations", "loc_harbor_12")
    assert plan[0]["deadline"].endswith("Z")
    assert sum(int(row["gain"]) for row in plan) == int(plan[-1]["total"]) == 681


def test_csv_of_expired_records_lists_what_to_resend() -> None:
    expired = rows(run("explain", "--view", "expired", "--format", "csv").stdout)

    assert len(expired) == 38
    assert {row["batch"] for row in expired} == {"bat_txn_0898", "bat_inv_0901"}
    assert {row["pending_again"] for row in expired} == {"false"}


def test_csv_of_a_batch_says_where_its_errors_are() -> None:
    failed = run("batch", "bat_cus_0912", "--format", "csv")

    assert rows(failed.stdout) == []
    assert "CSV lists pending records, here 0. The batch has errors too: see --format table or json." in failed.stderr
    assert run("batch", "bat_ok_0001", "--format", "csv", transport=demo_transport(STORY["healthy"])).stderr == ""


def test_numbers_in_cells_of_text_have_separators_too() -> None:
    failed = {f"c{number}": ([str(number)], ["VALIDATION_ERROR"]) for number in range(1_001)}
    waiting = [pending(f"orders:o{number}", "customers:c9") for number in range(1_001)]
    transport = ScriptedTransport(lambda _: page(batch("b1", *waiting, failed=failed)))

    assert "1,001 VALIDATION_ERROR" in run("list", transport=transport).stdout
    assert "customers:c9 (1,001)" in run("explain", "--view", "expiry", transport=transport).stdout


def test_csv_keeps_a_spreadsheet_from_running_a_text() -> None:
    row = pending("orders:o1", "customers:=HYPERLINK(1)")
    output = run("explain", "--format", "csv", transport=ScriptedTransport(page(batch("b1", row)))).stdout

    assert rows(output)[0]["external_id"] == "'=HYPERLINK(1)"


def test_markdown_escapes_text_of_the_tenant() -> None:
    row = pending("orders:o1", "customers:[x](http://evil)|y")
    output = run("explain", "--format", "markdown", transport=ScriptedTransport(page(batch("b1", row)))).stdout

    assert "## What to do" in output
    assert "customers:\\[x\\](http://evil)\\|y" in output


def test_tables_have_no_control_characters_whatever_the_tenant_sends() -> None:
    batches = [upload.to_wire(NOW) for upload in HOSTILE]
    for command in ("list", "explain", "explain --view resources"):
        output = run(*command.split(), transport=demo_transport(batches)).stdout
        assert not set(output) & {chr(code) for code in (*range(10), *range(11, 32), 0x7F, 0x9B, 0x202E, 0x200B)}


def test_a_token_leads_to_what_changed() -> None:
    first = run("explain", "--since", "start")
    token = first.stderr.removeprefix("Token for --since: ").strip()
    again = run("explain", "--since", token)

    assert "no pending resource came, went or waits for something else." in again.stdout
    assert run("explain", "--since", "start", "--json").stderr == ""


def test_changes_name_the_records_that_moved() -> None:
    before = ScriptedTransport(
        page(batch("b1", pending("orders:o1", "customers:c1"), pending("orders:o2", "customers:c1")))
    )
    after = ScriptedTransport(page(batch("b1", pending("orders:o1", "customers:c1"))))
    token = run("explain", "--since", "start", transport=before).stderr.split()[-1]
    output = run("explain", "--since", token, transport=after).stdout

    assert "pending resources 2 -> 1" in output
    assert "customers:c1" in output


def test_changes_since_an_incomplete_reading_say_so() -> None:
    rows = batch("b1", pending("orders:o1", "customers:c1"))
    part = ScriptedTransport(page(rows, cursor="next", total=2), *[403] * 9)
    token = run("explain", "--since", "start", transport=part).stderr.split()[-1]
    output = run("explain", "--since", token, transport=ScriptedTransport(page(rows))).stdout

    assert "Since 12:00Z: how much has changed cannot be told" in output
    assert "The earlier reading was incomplete" in output


def test_an_unknown_focus_may_be_in_the_part_that_was_not_read() -> None:
    part = ScriptedTransport(page(batch("b1"), cursor="next", total=2), *[403] * 9)

    assert run("explain", "--focus", "orders:o9", transport=part).exit_code == 3


def test_error_messages_can_be_switched_off() -> None:
    for command in ("batch bat_cus_0912", "batch bat_cus_0918", "explain --focus customers:cust_2201", "list"):
        output = run(*command.split(), "--json", REACH_MCP_ERROR_MESSAGES="false").stdout
        assert not re.search("valid address|Payload", output)
    assert "VALIDATION_ERROR" in output


def test_an_interrupt_ends_quietly() -> None:
    def interrupt(_: httpx.Request) -> int:
        raise KeyboardInterrupt

    result = run("list", transport=ScriptedTransport(interrupt))

    assert (result.exit_code, result.stdout) == (130, "")
