# Installs what a step needs on Debian and Ubuntu. To be sourced by the scripts beside it.

export DEBIAN_FRONTEND=noninteractive

# Runs a command up to four times: mirrors and registries have bad moments.
retry() {
    local pause
    for pause in 2 10 20 0; do
        "$@" && return
        [ "$pause" = 0 ] || { echo "again in $pause s: $*" >&2; sleep "$pause"; }
    done
    return 1
}

# Steps that run side by side take turns: apt itself waits for some of its locks only. A machine that
# loses its power now is set up anew, so nothing is synced.
apt() {
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    flock "${TMPDIR:-/tmp}/wharf-ci-apt-$(id -u).lock" \
        "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
        -o DPkg::Options::=--force-unsafe-io "$@" </dev/null
}

# Installs packages without asking, and without what they only recommend.
install_packages() {
    retry update_and install -y --no-install-recommends "$@" >/dev/null && return
    # What was broken off halfway, by a run that was stopped, is in the way.
    apt install -y --fix-broken >/dev/null && update_and install -y --no-install-recommends "$@" >/dev/null
}

# Downloads packages into this folder, which the user of apt has to be able to read.
download_packages() {
    apt download "$@" 2>/dev/null || retry update_and download "$@"
}

update_and() {
    apt update && apt "$@"
}

# Installs those packages of which something is not there, given as WHAT:PACKAGE, where WHAT is a
# command or a path.
install_missing() {
    local pair what missing=()
    for pair in "$@"; do
        what=${pair%%:*}
        command -v "$what" >/dev/null || [ -e "$what" ] || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# Makes a venv of Python with these pinned modules at a path, unless it is there.
make_venv() {
    local to=$1
    shift
    [ "$(cat "$to/modules" 2>/dev/null)" != "$*" ] || return 0
    rm -rf "$to"
    mkdir -p "$(dirname "$to")"
    python3 -m venv "$to" >/dev/null 2>&1 || {
        install_packages python3-venv
        python3 -m venv "$to"
    }
    retry "$to/bin/pip" install --quiet --disable-pip-version-check --no-input "$@"
    echo "$*" >"$to/modules"
}
