"""The Dockerfile and the files of deploy/, each checked by the tool that its kind has. No image is built here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from cryptography.fernet import Fernet

from reach_mcp.server import build_server
from reach_mcp.settings import Settings, load_settings
from reach_mcp.transports.observing import build_metrics
from tests.processes import ROOT, free_port, slow_api, start, wait_for_address

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "embedreach-mcp"
COMMANDS = ROOT / ".venv-deploy" / "bin"
INSTALL = "python3 -m venv .venv-deploy && .venv-deploy/bin/pip install -r tests/contract/deploy-requirements.txt"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_batches", "arguments": {}}}
WRONG: list[dict[str, Any]] = [
    {"settings": {"REACH_API_TOKEN": "secret"}},
    {"settings": {"REACH_MCP_MAX_CALLS": 16}},
    {"secret": {"name": ""}},
    {"ingress": {"enabled": True, "host": ""}},
    {"replica": 2},
]
instrument = pytest.mark.instrument


def run(*command: str | Path, given: str = "") -> str:
    """What a program prints. Fails with its output unless it succeeds."""
    done = subprocess.run(command, input=given, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def tool(name: str) -> Path:
    """A program of deploy-requirements.txt."""
    return COMMANDS / name if (COMMANDS / "hadolint").exists() else pytest.skip(f"needs {INSTALL}")


def system(name: str) -> str:
    """A program of the system."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found or pytest.skip("needs apt-get install --no-install-recommends caddy nginx openssl systemd")


def checked(action: str, content: object) -> Any:
    return json.loads(run(tool("python"), "tests/contract/deploy_tools.py", action, given=json.dumps(content)))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def manifests(values: str) -> Iterator[dict[str, Any]]:
    """Everything that the chart makes of values, once it has passed Helm's linter."""
    found = checked("helm", [str(CHART), yaml.safe_load(read(CHART / "ci" / f"{values}-values.yaml"))])
    assert [one["error"] for one in found["lint"]] == ["icon is recommended"]
    for name, text in found["manifests"].items():
        if name.endswith(".yaml"):
            yield from filter(None, yaml.safe_load_all(text))


@instrument
def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    assert run(tool("hadolint"), ROOT / "Dockerfile") == ""


@instrument
@pytest.mark.skipif(sys.platform != "linux", reason="needs the cp of Linux")
def test_what_the_dockerfile_copies_is_enough_to_build_the_package(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read(ROOT / "Dockerfile"), re.MULTILINE)
    names = sorted(name for line in copied for name in line.split())
    run("cp", "-r", "--parents", *names, tmp_path)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", tmp_path, tmp_path)

    assert len(list(tmp_path.glob("*.whl"))) == 1
    sent = re.findall(r"^!(.+?)(?:/\*\*)?$", read(ROOT / ".dockerignore"), re.MULTILINE)
    assert sorted(sent) == names


def test_the_final_image_has_bytecode_of_all_that_it_imports() -> None:
    build, final = read(ROOT / "Dockerfile").split("\nFROM ")[1:]
    assert "PYTHONDONTWRITEBYTECODE=1" in final

    for stage, folder in ((build, "/opt/venv/lib"), (final, "os.path.dirname(os.__file__)")):
        compiles = [line for line in re.split(r"\n(?=[A-Z#])", stage) if "compileall" in line]
        assert len(compiles) == 1
        assert "--invalidation-mode unchecked-hash" in compiles[0]
        assert folder in compiles[0]


def test_secrets_of_compose_never_reach_git() -> None:
    secrets = yaml.safe_load(read(DEPLOY / "compose.yaml"))["secrets"].values()

    assert {Path(secret["file"]).parent.as_posix() for secret in secrets} == {"secrets"}
    assert "deploy/secrets/" in read(ROOT / ".gitignore").splitlines()


def test_every_variable_is_a_setting() -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    texts = [read(path) for path in (ROOT / "Dockerfile", *DEPLOY.rglob("*")) if path.is_file()]
    named = set(re.findall(r"\bREACH_[A-Z_]+[A-Z]\b", "\n".join(texts)))

    assert named - known == {"REACH_MCP_VERSION"}  # of compose.yaml: the image's tag


@instrument
def test_compose_is_valid_and_every_container_is_confined() -> None:
    compose = yaml.safe_load(re.sub(r"\$\{\w+:[^}]*\}", "value", read(DEPLOY / "compose.yaml")))

    assert checked("compose", compose) == ["reach-mcp", "nginx", "valkey"]
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


@instrument
@pytest.mark.parametrize(("values", "count"), [("minimal", 4), ("full", 8)])
def test_the_chart_renders_to_manifests_that_kubernetes_takes(values: str, count: int, tmp_path: Path) -> None:
    kinds = set()
    for manifest in manifests(values):
        kinds.add(manifest["kind"])
        if not manifest["apiVersion"].startswith("monitoring.coreos.com"):  # Kubernetes has no schema of them
            (tmp_path / f"{manifest['kind']}.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    for version in ("1.27", "1.37"):
        run(tool("kubernetes-validate"), "--strict", "-k", version, *tmp_path.glob("*.yaml"))

    assert len(kinds) == count


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
def test_the_chart_refuses_wrong_values_and_secrets(wrong: dict[str, Any]) -> None:
    schema = json.loads(read(CHART / "values.schema.json"))
    values = yaml.safe_load(read(CHART / "values.yaml")) | yaml.safe_load(read(CHART / "ci" / "minimal-values.yaml"))
    jsonschema.validate(values, schema)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values | wrong, schema)


@instrument
def test_alerts_parse_and_name_metrics_that_exist() -> None:
    rules = next(one for one in manifests("full") if one["kind"] == "PrometheusRule")
    expressions = [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    settings = load_settings(demo=True, cache_url="redis://cache", cache_key=Fernet.generate_key().decode())
    metrics = build_metrics(build_server(settings).context)
    metrics.count_call("list_batches", outcome="ok", error="", seconds=1, answer_bytes=1)
    metrics.count_request("200", seconds=1, retried=True)
    metrics.count_http_error("401")
    published = {sample.name for family in metrics.registry.collect() for sample in family.samples}

    assert checked("promql", expressions) == len(expressions) > 5
    assert set(re.findall(r"\breach_mcp_[a-z_]+", "\n".join(expressions))) <= published


@instrument
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "embedreach-mcp.service"
    text = read(DEPLOY / "systemd" / unit.name)
    unit.write_text(text.replace("/opt/embedreach-mcp/bin/embedreach-mcp", "/bin/true"), encoding="utf-8")

    assert run(system("systemd-analyze"), "verify", "--man=no", unit) == ""
    run(system("systemd-analyze"), "security", "--offline=true", "--threshold=20", unit)


@instrument
def test_caddy_takes_its_example() -> None:
    file = DEPLOY / "caddy" / "Caddyfile"

    assert "Valid configuration" in run(system("caddy"), "validate", "--adapter", "caddyfile", "--config", file)


@instrument
def test_bodies_that_are_too_large_take_no_server_away_from_others(tmp_path: Path) -> None:
    file, front = tmp_path / "Caddyfile", f"http://127.0.0.1:{free_port()}"
    headers = {"Accept": "application/json, text/event-stream"}
    with start("serve", "--demo", "--http", "--port", "0") as server:
        address = wait_for_address(server)[0].removeprefix("http://").removesuffix("/mcp")
        here = {"mcp.example.com {": f"{front} {{", "reverse_proxy 127.0.0.1:8765": f"reverse_proxy {address}"}
        text = read(DEPLOY / "caddy" / "Caddyfile")
        for old, new in here.items():
            text = text.replace(old, new)
        file.write_text(f"{{\n\tadmin off\n}}\n{text}", encoding="utf-8")
        process = subprocess.Popen([system("caddy"), "run", "--adapter", "caddyfile", "--config", file])
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=8), base_url=front) as client:
                statuses = []
                for number in range(6):
                    with suppress(httpx.TransportError):  # the answer may come before the body was sent
                        client.post("/mcp", content=b"x" * (1_010_000 + 20_000 * number))
                    statuses.append(client.post("/mcp", json=CALL, headers=headers).status_code)
        finally:
            process.terminate()
            process.wait(10)

    assert statuses == [200] * 6


def nginx_file(folder: Path, site: str, replaced: dict[str, str]) -> Path:
    """A whole configuration with one of the examples, whose files and names become those of this machine."""
    text = read(DEPLOY / "nginx" / site)
    for old, new in ({"/etc/nginx/embedreach-mcp/": f"{DEPLOY / 'nginx'}/"} | replaced).items():
        text = text.replace(old, new)
    temporary = "".join(f"{name}_temp_path {folder};" for name in ("proxy", "client_body", "fastcgi", "uwsgi", "scgi"))
    head = f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {temporary}"
    file = folder / "nginx.conf"
    file.write_text(f"{head}\n{text}}}\n", encoding="utf-8")
    return file


@contextmanager
def nginx(site: str, upstream: str, folder: Path) -> Iterator[str]:
    """nginx with one of the examples in front of a server. Yields its host and port."""
    files = ("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem")
    run(system("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", *files)
    front = f"127.0.0.1:{free_port()}"
    here = {"listen 443": f"listen {front}", "listen 8080": f"listen {front}", "listen [::]": "#", "resolver ": "# "}
    here |= {"127.0.0.1:8765": upstream, "reach-mcp:8765": upstream}
    here["/etc/letsencrypt/live/mcp.example.com"] = str(folder)
    process = subprocess.Popen([system("nginx"), "-c", nginx_file(folder, site, here)])
    try:
        yield front
    finally:
        process.terminate()
        process.wait(10)


@instrument
@pytest.mark.parametrize(("site", "scheme"), [("site.conf", "https"), ("compose.conf", "http")])
def test_nginx_passes_calls_on_and_keeps_the_rest_inside(site: str, scheme: str, tmp_path: Path) -> None:
    with start("serve", "--demo", "--http", "--port", "0") as server:
        address = wait_for_address(server)[0].removeprefix("http://").removesuffix("/mcp")
        with nginx(site, address, tmp_path) as front:
            transport = httpx.HTTPTransport(retries=8, verify=False)
            with httpx.Client(transport=transport, base_url=f"{scheme}://{front}") as client:
                statuses = [client.get(path).status_code for path in ("/metrics", "/healthz", "/readyz", "/")]
                called = client.post("/mcp", json=CALL, headers={"Accept": "application/json, text/event-stream"})

    assert (statuses, called.status_code) == ([404] * 4, 200)
    assert "bat_" in called.text


@instrument
def test_nginx_bounds_the_requests_of_one_address(tmp_path: Path) -> None:
    with slow_api() as api, nginx("site.conf", api.url.removeprefix("http://"), tmp_path) as front:
        transport = httpx.HTTPTransport(retries=8, verify=False)
        with httpx.Client(transport=transport, timeout=30) as client, ThreadPoolExecutor(33) as threads:
            asked = [threads.submit(client.get, f"https://{front}/mcp") for _ in range(33)]
            first = next(as_completed(asked)).result().status_code
            api.release.set()
            statuses = Counter(one.result().status_code for one in asked)

    assert first == 429
    assert statuses == {200: 32, 429: 1}
