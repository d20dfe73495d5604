"""Lookalikes: slips that real imports make are found, neighbours in a series never are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from uuid import UUID

import pytest

from reach_mcp.analysis.lookalikes import Lookalikes, describe_difference
from reach_mcp.analysis.similarity import compare, keys
from tests.analysis.test_causes import find_causes
from tests.builders import batch, pending

DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE62 = DIGITS + LOWER.upper() + LOWER


def write(number: int, alphabet: str, width: int = 0) -> str:
    """A number in the base of an alphabet, padded with its first digit."""
    text = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        text = alphabet[digit] + text
    return text.rjust(width, alphabet[0])


def random_uuid(number: int) -> str:
    return str(UUID(int=Random(number).getrandbits(128), version=4))


def each(*parts: Iterable[object], form: str) -> list[str]:
    ids = [""]
    for part in parts:
        ids = [f"{head}\n{one}" for head in ids for one in part]
    return [form.format(*one.split("\n")[1:]) for one in ids]


FIRST_NAMES = (
    "Ann Anna Anne Hanna Hannah Jan Jana Jane Jean Jeanne Joan Joana Mary Maria Marie Mary-Ann Mary-Jane Jean-Luc "
    "Luc Luca Lukas Eric Erik Erika Sara Sarah Jon John Johan Johann Jose José Zoe Zoë Mark Marc Marco Kay Carl Carla"
)

SERIES = {
    "decimal numbers": [str(number) for number in range(1, 1200)],
    "padded numbers": [f"{number:08}" for number in range(9500, 10500)],
    "prefixed numbers": [f"cust_{number}" for number in range(900, 1900)],
    "hexadecimal numbers": [f"{number:x}" for number in range(1, 70000, 37)],
    "upper-case hexadecimal with a word": [f"DEV-{number:06X}" for number in range(0xFF00, 0x10300)],
    "base 36": [write(number, DIGITS + LOWER) for number in range(36**3 - 500, 36**3 + 500)],
    "base 36 from one": [write(number, DIGITS + LOWER) for number in range(1, 2000)],
    "base 32 of Crockford": [write(number, CROCKFORD, 6) for number in range(100_000, 101_000)],
    "base 58": [write(number, BASE58) for number in range(58**3, 58**3 + 1500)],
    "base 62": [write(number, BASE62) for number in range(62**3, 62**3 + 1500)],
    "base 62 of two digits": [write(number, BASE62, 2) for number in range(62**2)],
    "ULID": [f"01HF{write(10**15 + number * 37, CROCKFORD, 22)}" for number in range(800)],
    "ObjectId": [f"65a1f3c2e4b0{number:012x}" for number in range(0xABCD00, 0xABD100)],
    "UUID": [random_uuid(number) for number in range(800)],
    "UUID version 7": [f"018f3a5c-{number:04x}-7abc-8def-0123456789ab" for number in range(800)],
    "units with letters": each(range(1, 40), LOWER, form="unit-{}{}"),
    "upper-case units": each("ABCDEFGHIJKLMNO", range(1, 40), form="{}{}"),
    "dates with letters": each(
        (f"2026-{month:02}-{day:02}" for month in (1, 10, 11) for day in range(1, 29)), LOWER, form="{}-{}"
    ),
    "versions of two parts": each(range(4), [*range(12), *(f"{number:02}" for number in range(12))], form="{}.{}"),
    "versions of three parts": each(range(3), range(12), range(12), form="v{}.{}.{}"),
    "short versions": [*each(range(1, 9), form="{}"), *each(range(1, 9), range(10), form="{}.{}")],
    "network addresses": each(range(3), range(1, 30), form="10.0.{}.{}"),
    "places of a store": each(range(1, 13), range(1, 13), range(1, 13), form="{}-{}-{}"),
    "first names": FIRST_NAMES.split(),
    "sizes of products": each(
        ("tee", "tees", "red-tee", "polo"), ("xs", "s", "m", "l", "xl"), (1, 2, 11), form="{}-{}-{}"
    ),
    "grades": each("ABCDEF", ("", "+", "-"), form="{}{}"),
    "several prefixes": each(("tv", "radio", "phone"), range(1, 300), form="{}-{}"),
    "languages": ["C", "C++", "C#", "F#", "F", "D", "R", "Q#", "J", "J++"],
    "times": each(range(24), range(0, 60, 5), form="{}:{}"),
    "negative numbers": [str(number) for number in range(-200, 200)],
    "Salesforce, 15 characters": [f"001A00000{write(number, BASE62, 6)}" for number in range(62**3, 62**3 + 1500)],
    "snowflakes": [str(1_100_000_000_000_000_000 + number * 4096) for number in range(800)],
    "Roman numerals": each(("I", "II", "III", "IV", "V", "X", "XI", "L", "LI", "C", "CI"), (1, 11), form="{}-{}"),
    "e-mail addresses": each(("jo.hn", "john", "j.ohn", "jo-hn", "johnd"), range(30), form="{}{}@example.com"),
    "random identifiers": ["".join(Random(number).choices(BASE62 + "-_", k=12)) for number in range(800)],
    "slugs": each(("re-sort", "resort", "co-op", "coop", "red-shirt-s", "red-shirts"), ("", "-2", "-22"), form="{}{}"),
}


def find(
    missing: list[str], *, pending_ids: Iterable[str] = (), failed_ids: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The seen ids that each missing one resembles."""
    search = Lookalikes(list(pending_ids), list(failed_ids), set(missing))
    return {text: [one.external_id for one in found] for text in missing if (found := search.find(text))}


def suspects(ids: list[str], missing: Callable[[int], bool]) -> dict[str, list[str]]:
    gone = [one for number, one in enumerate(ids) if missing(number)]
    return find(gone, pending_ids=dict.fromkeys(ids).keys() - set(gone))


@pytest.mark.parametrize("ids", SERIES.values(), ids=SERIES)
@pytest.mark.parametrize("share", ["half", "tenth", "all but twentieth", "every second"])
def test_no_id_of_a_series_is_taken_for_another(ids: list[str], share: str) -> None:
    part = {"half": 0.5, "tenth": 0.1, "all but twentieth": 0.95, "every second": 0.0}[share]
    chosen = Random(share)
    missing = {number for number in range(len(ids)) if (chosen.random() < part if part else number % 2)}
    assert suspects(ids, missing.__contains__) == {}


CYRILLIC_C = "\u0441"
UUID_TEXT = "5be864ca-1234-4abc-9def-0123456789ab"

SLIPS = {
    "differs in letter case": [
        ("CUST_8808", "cust_8808"), ("LocPier03", "locpier03"), ("Ann.Lee@Example.com", "ann.lee@example.com"),
        ("5BE864CA-1234-4ABC-9DEF-0123456789AB", UUID_TEXT), (f"cust_{UUID_TEXT}", f"CUST_{UUID_TEXT.upper()}"),
    ],
    "differs in blanks at its start or end": [
        ("cust_6120 ", "cust_6120"), ("cust_6120\xa0", "cust_6120"), ("1KX7Q2MZP01RT ", "1KX7Q2MZP01RT"),
    ],
    "differs in blanks": [("AB  12", "AB 12"), ("AB 12", "AB12")],
    "differs in invisible characters": [
        ("cust_8808", "cust_8808\r"), ("cust_8808\n", "cust_8808"), ("\tcust_8808", "cust_8808"),
        ("cust\u200b_8808", "cust_8808"), ("\ufeffcust_8808", "cust_8808"), ("cust\x00_8808", "cust_8808"),
    ],
    "differs in Unicode composition (NFC or NFD)": [("caf\u00e9-1", "cafe\u0301-1")],
    "differs in full-width or other compatibility characters": [
        ("\uff11\uff12\uff13", "123"), ("x\u2077-5", "x7-5"), ("\u0664\u0660\u0662", "402"),
    ],
    "lacks the prefix cust_": [(f"cust_{UUID_TEXT}", UUID_TEXT)],
    "differs in letter case and punctuation": [("ord-65A1F3C2E4B0ABCD123", "ord_65a1f3c2e4b0abcd123")],
    "differs in letters of another alphabet that look alike": [(f"{CYRILLIC_C}ust_8808", "cust_8808")],
    "differs in quotes or brackets around it": [
        ('"cust_1"', "cust_1"), ("cust_1'", "cust_1"), ('="00123"', "00123"), ("[cust_1]", "cust_1"),
    ],
    "differs in encoding": [
        ("cust%208808", "cust 8808"), ("a%2Fb1", "a/b1"), ("A&amp;B7", "A&B7"), ("caf\u00c3\u00a9-7", "caf\u00e9-7"),
    ],
    "differs in leading zeros": [("0007731", "7731"), ("INV-00412", "INV-412"), ("INV00412", "INV412")],
    "is written as a spreadsheet number": [
        ("40217.0", "40217"), ("4.0217E4", "40217"), ("4.0217E+04", "40217"), ("40217,00", "40217"),
    ],
    "differs in thousands separators": [("40,217", "40217"), ("1.040.217", "1040217"), ("1 234", "1234")],
    "differs in punctuation": [
        ("cust-8808", "cust_8808"), ("cust8808", "cust_8808"), ("loc\u2013pier\u201303", "loc-pier-03"),
        ("locpier03", "loc-pier-03"), ("cust_8808.", "cust_8808"), ("#1001", "1001"), ("20260103", "2026-01-03"),
        ("555-123-4567", "5551234567"), ("(555) 123-4567", "5551234567"),
    ],
    "has the prefix cust_": [("8841", "cust_8841")],
    "has the prefix NG:": [("2292604", "NG:2292604")],
    "lacks the prefix cust": [("cust8841", "8841")],
    "lacks the prefix shop_cust_": [("shop_cust_8841", "8841")],
    "is the last part of the URI": [("gid://shopify/Customer/1", "1")],
    "is a URI that ends in it": [("1", "gid://shopify/Customer/1")],
    "is the same UUID with or without dashes or braces": [
        ("5be864ca12344abc9def0123456789ab", UUID_TEXT), (f"urn:uuid:{UUID_TEXT}", UUID_TEXT),
    ],
    "is the 15- or 18-character form of the same Salesforce id": [("001A0000006Vm9r", "001A0000006Vm9rIAC")],
    "lacks the prefix +1": [("+15551234567", "5551234567")],
    "has digits 0 or 1 in place of letters O, l or I, or letters in place of digits": [
        ("cust_88O8", "cust_8808"), ("cust_l234", "cust_1234"),
    ],
    "differs in blanks at its start or end and letter case": [("CUST_8808 ", "cust_8808")],
    "differs in leading zeros and lacks the prefix CUST-": [("CUST-00088", "88")],
    "differs in quotes or brackets around it and letter case": [(f"{{{UUID_TEXT.upper()}}}", UUID_TEXT)],
}  # fmt: skip


@pytest.mark.parametrize("rule", SLIPS)
def test_a_slip_is_found_and_its_rule_named(rule: str) -> None:
    for missing, seen in SLIPS[rule]:
        likeness = compare(missing, seen)
        assert likeness is not None
        assert likeness.rule.casefold() == rule.casefold()
        assert compare(seen, missing) is not None
        assert find([missing], pending_ids=["unrelated_5"], failed_ids=[seen]) == {missing: [seen]}
        assert find([seen], failed_ids=[missing]) == {seen: [missing]}


SLIPPED: dict[str, tuple[str, Callable[[str], str]]] = {
    "case": ("CUST-{}-ab", str.lower),
    "outer blanks": ("cust_{}", lambda text: text + " "),
    "carriage return": ("cust_{}", lambda text: text + "\r"),
    "byte order mark": ("cust_{}", lambda text: "\ufeff" + text),
    "zero width": ("cust_{}", lambda text: text.replace("_", "_\u200b")),
    "decomposed": ("caf\u00e9-{}", lambda text: text.replace("\u00e9", "e\u0301")),
    "full width": ("{}", lambda text: "".join(chr(ord(char) + 0xFEE0) for char in text)),
    "Cyrillic": ("cust_{}", lambda text: CYRILLIC_C + text[1:]),
    "quotes": ("cust_{}", lambda text: f'"{text}"'),
    "apostrophe": ("00{}", lambda text: "'" + text),
    "URL encoding": ("shop/{}", lambda text: text.replace("/", "%2F")),
    "zeros lost": ("0000{}", lambda text: text.lstrip("0")),
    "zeros added": ("INV-{}", lambda text: text.replace("-", "-00")),
    "decimals": ("{}", lambda text: text + ".0"),
    "scientific": ("4021{}7", lambda text: f"{text[0]}.{text[1:]}E+{len(text) - 1:02}"),
    "thousands": ("{}", lambda text: f"{int(text):,}"),
    "dashes": ("cust_{}", lambda text: text.replace("_", "-")),
    "no separator": ("cust_{}", lambda text: text.replace("_", "")),
    "prefix lost": ("cust_{}", lambda text: text.removeprefix("cust_")),
    "prefix added": ("{}", lambda text: "cust_" + text),
    "Shopify": ("{}", lambda text: "gid://shopify/Customer/" + text),
    "UUID without dashes": ("5be864ca-1234-4abc-9def-01234567{}", lambda text: text.replace("-", "")),
    "UUID in braces": ("5be864ca-1234-4abc-9def-01234567{}", lambda text: "{" + text + "}"),
    "phone": ("+1555123{}", lambda text: text.removeprefix("+1")),
    "e-mail": ("Ann.{}@Example.com", str.lower),
    "letter O": ("cust_{}02", lambda text: text[:-2] + "O" + text[-1]),
    "prefix in capitals": ("cust_{}", lambda text: text.upper() + " "),
}


@pytest.mark.parametrize(("form", "slip"), SLIPPED.values(), ids=SLIPPED)
@pytest.mark.parametrize("slips", [1, 40, 400])
def test_slips_are_found_in_a_tenant_that_numbers_its_records(
    form: str, slip: Callable[[str], str], slips: int
) -> None:
    ids = [form.format(number) for number in range(5000, 6000)]
    missing = {slip(one): one for one in ids[300 : 300 + slips]}
    neighbours = [form.format(number) for number in range(6000, 6100)]
    found = find([*missing, *neighbours], pending_ids=ids)
    assert found == {text: [meant] for text, meant in missing.items()}


DIFFERENT = [
    ("1.01", "1.1"), ("1.10", "1.1"), ("v1.0", "v1"), ("1.0.1", "1.01"), ("1.1", "11"), ("1.000", "1"),
    ("unit-12a", "unit-12b"), ("1-11", "11-1"), ("unit-1-11", "unit-11-1"), ("1-23", "123"), ("a-1", "b-1"),
    ("Anna", "Hanna"), ("Mary-Jane", "Jane"), ("José", "Jose"), ("red-shirt-s", "red-shirts"), ("A+", "A-"),
    ("4e1", "40"), ("1e3", "1000"), ("a01b", "a1b"), ("123", "a123"), ("-5", "5"), (".5", "5"), ("C#", "C"),
    ("aBc1", "abc1"), ("4c92kA", "4c92ka"), ("unit-1l", "unit-11"), ("2026-0001", "0001"), ("10.0.0.1", "10.0.0.01"),
    ("john.s@example.com", "johns@example.com"), ("001A0000006Vm9r", "001A0000006Vm9R"), ("1.234567E3", "1234"),
    ("001A0000006Vm9r", "001A0000006Vm9rAAA"), ("cust_8808", "cust_8880"), ("cust_8808", "cust_880"), ("A-", "A"),
    ("+4915123456", "+4415123456"), ("x" * 201, "X" * 201), ("same", "same"), ("%zz", "zz"),
    ("", "x"), ("-", "_"),
]  # fmt: skip


@pytest.mark.parametrize(("missing", "seen"), DIFFERENT)
def test_different_ids_are_not_alike(missing: str, seen: str) -> None:
    assert compare(missing, seen) is None
    assert compare(seen, missing) is None


@pytest.mark.parametrize(
    ("missing", "pending_ids", "others"),
    [
        ("B7_x", ["b7_X", "B7_X"], []),
        ("loc_c", ["LOC_C"], ["loc_a", "LOC_A"]),
        ("7", ["tv-7", "radio-7"], []),
        ("tv-7", ["7"], ["8", "tv-8", "9", "tv-9"]),
        ("7.0", ["7"], ["7.5"]),
        ("ab100o", ["ab1000"], ["ab100k", "ab100m"]),
        ("10.50", ["10.5"], []),
    ],
)
def test_a_difference_that_tells_records_apart_in_this_tenant_is_no_slip(
    missing: str, pending_ids: list[str], others: list[str]
) -> None:
    assert find([missing], pending_ids=[*pending_ids, *others]) == {}


def test_two_missing_ids_with_different_prefixes_do_not_mean_the_same_record() -> None:
    assert find(["tv-7", "radio-7"], pending_ids=["7"]) == {}


def test_one_odd_pair_of_failed_records_does_not_switch_a_rule_off() -> None:
    assert find(["CUST_2"], failed_ids=["cust_1", "CUST_1"], pending_ids=["cust_2"]) == {"CUST_2": ["cust_2"]}


def test_an_id_that_was_not_announced_as_missing_is_compared_too() -> None:
    search = Lookalikes([], ["cust_1"], [])
    assert [one.external_id for one in search.find("CUST_1")] == ["cust_1"]


@pytest.mark.parametrize(
    ("missing", "seen", "difference"),
    [
        ("cust_8808", "cust_8808\r", "seen id ends with U+000D (carriage return)"),
        ("cust_8808 ", "cust_8808", "missing id ends with U+0020 (space)"),
        ("\ufeffcust_1", "cust_1", "missing id starts with U+FEFF (byte order mark)"),
        ("cust_1", "cu\u200bst_1", "seen id contains U+200B (zero width space)"),
        ("cust_1\x07", "cust_1", "missing id ends with U+0007 (control character)"),
        (
            "caf\u00e9-1",
            "cafe\u0301-1",
            "seen id contains U+0301 (combining acute accent); "
            "missing id contains U+00E9 (latin small letter e with acute)",
        ),
        (f"{CYRILLIC_C}ust_1", "cust_1", "missing id starts with U+0441 (cyrillic small letter es)"),
        ("loc\u201303", "loc-03", "missing id contains U+2013 (en dash)"),
        ("CUST_1", "cust_1", ""),
        ("8841", "cust_8841", ""),
    ],
)
def test_a_difference_that_cannot_be_seen_is_described(missing: str, seen: str, difference: str) -> None:
    assert compare(missing, seen) is not None
    assert describe_difference(missing, seen) == difference


def test_very_long_ids_are_texts_and_not_rewritten() -> None:
    assert keys("X y" * 100) == ("X y" * 100, None)


def test_slips_are_found_among_thousands_of_other_records() -> None:
    numbers = range(3000, 3030)
    rows = [pending(f"transactions:t{number}", f"customers:{number}") for number in numbers]
    others = [pending(f"transactions:o{number}", f"customers:cust_{number}") for number in range(5000, 6000)]
    failed = [f"cust_{number}" for number in range(2000, 4000)]
    found = find_causes(batch("b1", *rows, *others), batch("b2", schema="customers", failed=failed))
    suspected = {name: one for name, one in found.items() if one.cause == "looks_like"}
    assert suspected.keys() == {f"customers:{number}" for number in numbers}
    assert {one.lookalikes[0].rule for one in suspected.values()} == {"has the prefix cust_"}
    assert suspected["customers:3000"].lookalikes[0].record.name == "customers:cust_3000"
