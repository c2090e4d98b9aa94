#!/bin/sh
# Print the path of a Python that can run this project (3.12 to 3.14), or an error that says what to install. Prefer one
# that can create virtual environments: Debian packages ensurepip separately.
set -u
home=${HOME:-/nonexistent}

candidates() {
    for name in python3 python3.13 python3.12 python3.14; do
        command -v "$name"
    done
    for version in 3.13 3.12 3.14; do
        for python in "${PYENV_ROOT:-$home/.pyenv}/versions/$version"*/bin/python3 \
            "${UV_PYTHON_INSTALL_DIR:-$home/.local/share/uv/python}/cpython-$version"*/bin/python3; do
            [ -x "$python" ] && echo "$python"
        done
    done
    command -v uv >/dev/null 2>&1 && uv python find --no-project '>=3.12,<3.15'
}

resolved() { # the base interpreter of a command, if its version is supported and it has the module
    "$1" -c "import sys, $2; assert (3, 12) <= sys.version_info[:2] <= (3, 14); print(sys._base_executable)" 2>/dev/null
}

advice() { # the commands for this system; Debian 13 and Ubuntu 24.04 are the first with a Python that is new enough
    system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-}" "${VERSION_ID:-0}")
    case $system in
        debian\ 1[3-9]* | ubuntu\ 2[4-9].* | ubuntu\ [3-9]?.*) echo "apt-get install python3 python3-venv" ;;
        fedora\ *) echo "dnf install python3.13" ;;
        debian\ * | ubuntu\ *)
            echo "apt-get install python3-venv"
            uv_advice
            ;;
        *) uv_advice ;;
    esac
}

uv_advice() {
    echo "python3 -m venv ~/.uv"
    echo "~/.uv/bin/pip install uv"
    echo "~/.uv/bin/uv python install 3.13"
}

for module in ensurepip sys; do
    for python in $(candidates 2>/dev/null); do
        resolved "$python" "$module" && exit 0
    done
done

present=$(python3 --version 2>/dev/null) || present="no python3"
{
    echo "Python 3.12, 3.13 or 3.14 is required, but was not found (found: $present)."
    case $present in Python\ 3.1[5-9]* | Python\ 3.[2-9]?* | Python\ [4-9]*) echo "3.14 is the newest supported version." ;; esac
    echo "Install one beside it, then run the command again. On this system:"
    advice | sed 's/^/    /'
    echo "Or, with pyenv: pyenv install 3.13"
} >&2
exit 1
