#!/usr/bin/env bash
# Run the core's tests (settings, data, quantizers, models, training, evaluation) with other versions than the pinned:
#   tests/versions.sh [PYTHON [TORCH]]      tests/versions.sh python3.13      tests/versions.sh python3.11 torch==2.7.1
# A test that needs the pins themselves, or the wheel, is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${1:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet "${2:-torch}" '.[dev]'
[ -e data ] || "$folder/bin/dvc" pull --quiet data.dvc
tests=$(grep -L -E 'svqkit(\.| import .*)(plots|paper|pipeline|forecasting|interop)' tests/test_*.py |
	grep -v -E 'test_(environment|wheel)')
# shellcheck disable=SC2086
"$folder/bin/python" -m pytest -q -n 2 -m "not slow" -p no:cacheprovider $tests
