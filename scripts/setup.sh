#!/bin/sh
# Makes .venv from requirements.lock. Brings uv when the machine has none; needs only Python 3.11+.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "DefenseClaw needs Python 3.11 or newer; '$python' is not. Set PYTHON=/path/to/python3.11." >&2
  exit 1
fi

if command -v uv >/dev/null 2>&1; then
  uv=uv
else
  tools=.venv-uv
  [ -x "$tools/bin/uv" ] || {
    "$python" -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
  }
  uv="$tools/bin/uv"
fi

executable=$("$python" -c 'import sys; print(sys.executable)')
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$executable" .venv
"$uv" pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
"$uv" pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable .
touch .venv/.ready
