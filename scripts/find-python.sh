#!/bin/sh
# Print the path of a Python that can run this project (3.12 to 3.14), or an error that says what to install. Prefer one
# that can create virtual environments: Debian packages ensurepip separately.
set -u

candidates() {
    for name in python3 python3.13 python3.12 python3.14; do
        command -v "$name"
    done
    for version in 3.13 3.12 3.14; do
        for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python3; do
            [ -x "$python" ] && echo "$python"
        done
    done
    command -v uv >/dev/null 2>&1 && uv python find --no-project '>=3.12,<3.15'
}

resolved() { # the base interpreter of a command, if its version is supported and it has the module
    "$1" -c "import sys, $2; assert (3, 12) <= sys.version_info[:2] <= (3, 14); print(sys._base_executable)" 2>/dev/null
}

for module in ensurepip sys; do
    for python in $(candidates 2>/dev/null); do
        resolved "$python" "$module" && exit 0
    done
done

present=$(python3 --version 2>/dev/null) || present="no python3"
echo "Python 3.12, 3.13 or 3.14 is required, but was not found (found: $present). Install one of them with your" \
    "system's packages (apt-get install python3.13 python3.13-venv), 'pyenv install 3.13' or" \
    "'uv python install 3.13', then run the command again." >&2
exit 1
