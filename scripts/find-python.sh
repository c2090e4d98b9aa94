#!/bin/sh
# Prints the path of a Python that can run this project (3.12 to 3.14), or says in a sentence what to install.
set -u

prints_its_path() { # a command that may be a Python -> the interpreter behind it, if it is new enough
    "$@" -c 'import sys; assert (3, 12) <= sys.version_info[:2] <= (3, 14); print(sys.executable)' 2>/dev/null
}

for name in python3 python3.13 python3.12 python3.14; do
    command -v "$name" >/dev/null 2>&1 && prints_its_path "$name" && exit 0
done

pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
for version in 3.13 3.12 3.14; do
    for python in "$pyenv_root"/versions/"$version"*/bin/python3; do
        [ -x "$python" ] && prints_its_path "$python" && exit 0
    done
done

if command -v uv >/dev/null 2>&1; then
    python=$(uv python find --no-project '>=3.12,<3.15' 2>/dev/null) && prints_its_path "$python" && exit 0
fi

present=$(python3 --version 2>/dev/null) || present="there is no python3"
echo "Python 3.12, 3.13 or 3.14 is needed and was not found ($present here); install one of them, for example" \
    "with your system's packages (apt-get install python3.13 python3.13-venv), with 'pyenv install 3.13'" \
    "or with 'uv python install 3.13', and run this again." >&2
exit 1
