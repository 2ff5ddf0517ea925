#!/usr/bin/env bash
# Everything that is checked: format, lint, types, tests. Arguments go to pytest (-m slow runs the slow ones).
set -euo pipefail
cd "$(dirname "$0")/.."

ruff format --check .
ruff check .
mypy
pytest "$@"
