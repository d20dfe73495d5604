# Commands for development. `just` alone lists them.
python := ".venv/bin/python"

_default:
    @just --list

# Create .venv and install the package with its development tools
setup:
    python3 -m venv .venv
    .venv/bin/pip install -q -e '.[dev]'

# Format, lint, types, import direction, language, dead code
check:
    .venv/bin/ruff format --check .
    .venv/bin/ruff check .
    .venv/bin/mypy
    .venv/bin/lint-imports
    .venv/bin/vulture
    {{ python }} .ci/plain_english.py

# Run the tests; arguments go to pytest
test *arguments:
    {{ python }} -m pytest -q -n 2 {{ arguments }}

# Format and apply the fixes of the linter
fix:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .

# Write the generated parts of docs/, manifest.json and server.json
docs:
    {{ python }} -m docs.generate

# Write requirements.lock: versions and hashes
lock:
    {{ python }} .ci/lock.py

# Build embedreach-mcp.mcpb, the bundle for Claude Desktop (needs Node)
bundle:
    rm -rf build/bundle
    git archive --prefix=build/bundle/ HEAD | tar -x
    npx -y @anthropic-ai/mcpb pack build/bundle embedreach-mcp.mcpb

# Everything that continuous integration checks
ci:
    bash .ci/run
