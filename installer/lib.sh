# shellcheck shell=bash
# What the installer scripts share. Sourced, never run.
#
# MPSEC_TEST_ROOT: a folder put before every absolute path outside the clone and the state folder that the scripts read or
# write (/etc/os-release, /proc, /opt/mpsec, units, ...). Only tests set it; PATH is then taken as it is.

set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# Exit codes, the same as the program's.
# shellcheck disable=SC2034  # not every script uses each
readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_NOT_PERMITTED=3 EXIT_NOT_AVAILABLE=4

# shellcheck disable=SC2034  # used by the scripts that source this file
readonly ROOT="${MPSEC_TEST_ROOT:-}"
SCRIPT="$(basename -- "$0")"
REPO="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
readonly SCRIPT REPO

# A user's PATH lacks the sbin folders on Debian; ip, nft and sysctl live there.
[[ -n $ROOT ]] || PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Ends the script with an exit code and one sentence on standard error.
fail() {
    local code=$1
    shift
    printf '%s: %s\n' "$SCRIPT" "$*" >&2
    exit "$code"
}

warn() { printf '%s: %s\n' "$SCRIPT" "$*" >&2; }

say() { printf '%s\n' "$*"; }

usage_fault() { fail "$EXIT_USAGE" "$* See '$SCRIPT --help'."; }

have() { command -v -- "$1" >/dev/null 2>&1; }

is_root() { [[ $(id -u) == 0 ]]; }

need_root() { is_root || fail "$EXIT_NOT_PERMITTED" "$1 needs root: run it with sudo."; }

# systemd is in charge (sd_booted(3)), not merely installed.
has_systemd() { [[ -d $ROOT/run/systemd/system ]]; }

# free_mib DIR: free MiB of the file system that holds DIR or its nearest existing parent.
free_mib() {
    local dir=$1
    while [[ ! -d $dir ]]; do dir="$(dirname -- "$dir")"; done
    df -Pm -- "$dir" | awk 'NR == 2 { print $4 }'
}

# need_space DIR MIB WHAT: one sentence before anything is begun instead of half a build.
need_space() {
    local free
    free="$(free_mib "$1")"
    [[ $free -ge $2 ]] || fail "$EXIT_FAILED" "$3 needs $2 MiB of free space for $1, and there are only $free MiB: make room and start again."
}

# os_release KEY: one value of os-release(5), without quotes; empty where it has none. The file is read, never run.
os_release() {
    local key value
    while IFS='=' read -r key value; do
        if [[ $key == "$1" ]]; then
            value="${value#[\"\']}"
            printf '%s' "${value%[\"\']}"
            return
        fi
    done 2>/dev/null <"$ROOT/etc/os-release" || true
}

# Command lines of the clone's owner, so that a build under sudo leaves no files that belong to root in someone's clone.
as_owner() {
    local owner
    owner="$(stat -c %U -- "$REPO")"
    if is_root && [[ $owner != root && $owner != UNKNOWN ]] && have runuser; then
        runuser -u "$owner" -- env "HOME=$(getent passwd "$owner" | cut -d: -f6)" "$@"
    else
        "$@"
    fi
}

# Puts dotnet into PATH when its SDK 10 lies where installers put it; says by its exit code whether there is one.
find_dotnet() {
    local dir home
    home="$(getent passwd "${SUDO_USER:-$(id -un)}" 2>/dev/null | cut -d: -f6 || true)"
    for dir in '' "${DOTNET_ROOT:-}" "$ROOT/usr/share/dotnet" "$ROOT/usr/lib/dotnet" "$ROOT/opt/dotnet" "${home:+$home/.dotnet}"; do
        if [[ -z $dir ]]; then
            have dotnet || continue
        elif [[ ! -x $dir/dotnet ]]; then
            continue
        fi
        if [[ $'\n'"$(PATH="${dir:+$dir:}$PATH" dotnet --list-sdks 2>/dev/null)" == *$'\n10.'* ]]; then
            PATH="${dir:+$dir:}$PATH"
            export PATH
            return 0
        fi
    done
    return 1
}

# What every dotnet command of these scripts shares: nothing is sent home, no build process stays behind.
dotnet_environment() {
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1
    export UseSharedCompilation="${UseSharedCompilation:-false}" DOTNET_CLI_USE_MSBUILD_SERVER=0
    export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"
}

# setting KEY DEFAULT: a setting of 'mpsec serve' as the environment or /etc/mpsec/appsettings.json give it.
setting() {
    local variable="MPSEC__$1" value
    value="${!variable:-}"
    if [[ -z $value && -r $ROOT/etc/mpsec/appsettings.json ]]; then
        value="$(sed -nE "s/^.*\"$1\"[[:space:]]*:[[:space:]]*\"([^\"]*)\".*\$/\\1/Ip" "$ROOT/etc/mpsec/appsettings.json" | head -n 1)"
    fi
    printf '%s' "${value:-$2}"
}

# check_state DIR: the state folder's name can stand in a unit and in a list of arguments.
check_state() {
    [[ $1 =~ ^/[A-Za-z0-9._/+@:-]*[A-Za-z0-9._+@:-]$ && $1 != */../* && $1 != */.. ]] ||
        fail "$EXIT_USAGE" "--state '$1' must be an absolute folder name of letters, digits and . _ - + @ : only, for example /var/lib/mpsec."
}

# A started MPSec without systemd is recorded in STATE/serve.pid: process id, its start time (clock ticks since boot, field 22
# of proc_pid_stat(5)), fingerprint of the sources it was made from, addresses. A reused process id has another start time.
start_ticks() {
    local stat
    stat="$(cat -- "/proc/$1/stat" 2>/dev/null)" || return 1
    # The name in parentheses may hold blanks and parentheses: count from behind the last one. Field 3 comes first there.
    read -r -a stat <<<"${stat##*) }"
    [[ ${stat[0]} != [ZX] ]] || return 1 # ended; a container's init may never collect it
    printf '%s' "${stat[19]}"
}

record_process() { printf '%s %s %s %s\n' "$2" "$(start_ticks "$2")" "$3" "$4" >"$1/serve.pid"; }

# running_process STATE: sets running_pid, running_fingerprint and running_urls from the record; false where it does not run any more.
# shellcheck disable=SC2034  # the caller reads what it sets
running_process() {
    local ticks
    running_pid='' running_fingerprint='' running_urls=''
    [[ -r $1/serve.pid ]] || return 1
    read -r running_pid ticks running_fingerprint running_urls <"$1/serve.pid" || return 1
    [[ $running_pid =~ ^[1-9][0-9]*$ && -n $ticks && $(start_ticks "$running_pid") == "$ticks" ]]
}

# stop_process STATE: ends the recorded process, by force after half a minute. False where none runs.
stop_process() {
    local waited=0
    if ! running_process "$1"; then
        rm -f -- "$1/serve.pid"
        return 1
    fi
    kill -TERM "$running_pid" 2>/dev/null || true
    while running_process "$1"; do
        if ((waited == 300)); then
            warn "MPSec (process $running_pid) did not end within 30 seconds and is ended by force."
            kill -KILL "$running_pid" 2>/dev/null || true
        elif ((waited > 350)); then
            fail "$EXIT_FAILED" "MPSec (process $running_pid) cannot be ended."
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
    rm -f -- "$1/serve.pid"
}

# stop_dead_men STATE: ends the processes that wait in STATE to guard the next change (STATE/dead-man-N.pid: process id, start time); what one of them
# guards it undoes first. Prints the ids of those that ran.
stop_dead_men() {
    local file pid ticks waited
    for file in "$1"/dead-man-*.pid; do
        [[ -r $file ]] || continue
        read -r pid ticks <"$file" || continue
        [[ $pid =~ ^[1-9][0-9]*$ && -n $ticks && $(start_ticks "$pid") == "$ticks" ]] || continue
        kill -TERM "$pid" 2>/dev/null || continue
        for ((waited = 0; waited < 300; waited++)); do
            [[ $(start_ticks "$pid") == "$ticks" ]] || break
            sleep 0.1
        done
        printf '%s\n' "$pid"
    done
}
