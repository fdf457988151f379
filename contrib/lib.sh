# Shared by the scripts in contrib: where things are, and the set-up on a fresh Debian 12. Sourced, not run.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
build=${PLUGFS_BUILD:-$top/build}
stage=$build/stage

say() { printf '==> %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The packages of a list, without comments.
packages_of() { sed 's/#.*//' "$here/packages/$1.txt" | tr -s ' \t\n' '\n' | sed '/^$/d'; }

# Installs what is missing of the given lists. As an ordinary user: says what root would have to install.
install_missing() {
    missing=
    for list in "$@"; do
        for package in $(packages_of "$list"); do
            dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
        done
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages; as root: apt-get install$missing"
    command -v apt-get >/dev/null || die "needs Debian's packages:$missing"
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -q --no-install-recommends $missing </dev/null >/dev/null 2>&1 ||
        { apt-get update -q </dev/null >/dev/null &&
            apt-get install -y -q --no-install-recommends $missing </dev/null >/dev/null; } ||
        die "could not install$missing"
}

# Configures, builds and installs into the staging prefix; false, with the reason printed, when that fails. $1: the build folder; the rest:
# options for meson. With $targets: only these are built, and nothing is installed.
build_in() {
    folder=$1
    shift
    # Debian's meson, also where another python comes first in PATH.
    if [ -f "$folder/build.ninja" ]; then
        meson configure "$folder" --prefix="$folder/stage" "$@" >/dev/null
    else
        meson setup "$folder" "$top" --prefix="$folder/stage" "$@" >/dev/null || { say "meson setup failed; see $folder/meson-logs"; return 1; }
    fi
    # shellcheck disable=SC2086 # a list of words
    ninja -C "$folder" ${targets:-} >"$folder/build.log" 2>&1 || { grep -E 'error|FAILED' "$folder/build.log" | head -40; say "build failed; see $folder/build.log"; return 1; }
    [ -n "${targets:-}" ] || meson install -C "$folder" --no-rebuild >/dev/null
}
