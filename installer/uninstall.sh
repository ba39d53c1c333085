#!/usr/bin/env bash
# Takes MPSec off this machine: process or service, labs, unit, installed files; with --purge also all that it has written.
# shellcheck source=installer/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
Usage: sudo ./installer/uninstall.sh [--purge] [--state DIR]

Stops MPSec, takes every lab down, and removes the service, /opt/mpsec, /usr/local/bin/mpsec and what was built for them.
Packages stay, because other programs may use them; they are listed.

  --purge       remove the state folder (users, history, logs) and the configuration in /etc/mpsec and /etc/default/mpsec too
  --state DIR   the state folder (default: that of the installed service, else /var/lib/mpsec)
  --help        this text

Exit codes: 0 done, also when there was nothing to remove, 1 failed, 2 usage, 3 not permitted.
TEXT
}

purge=false state=''
while (($#)); do
    case $1 in
        --purge) purge=true ;;
        --state=*)
            set -- --state "${1#*=}" "${@:2}"
            continue
            ;;
        --state)
            [[ -n ${2-} ]] || usage_fault "--state needs a value."
            state="$2"
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_fault "There is no option '$1'." ;;
    esac
    shift
done

readonly UNIT="$ROOT/etc/systemd/system/mpsec.service"
readonly INSTALLED="$ROOT/opt/mpsec"
readonly ARTIFACTS="$REPO/artifacts"

if [[ -z $state && -r $INSTALLED/start.env ]]; then
    state="$(sed -nE 's/^MPSEC_ARGUMENTS=--state ([^ ]+) .*$/\1/p' "$INSTALLED/start.env")"
fi
state="${state:-$(setting State "$ROOT/var/lib/mpsec")}"
state="${state%/}"
check_state "$state"
need_root "Removing MPSec"

# holds_state DIR: the folder was written by MPSec; only such a one is ever removed.
holds_state() { [[ -e $1/configuration.db || -e $1/mpsec.lock || -e $1/serve.pid || -e $1/serve.log || -e $1/.packages ]]; }

if $purge && [[ -d $state ]] && ! holds_state "$state" && [[ -n $(ls -A -- "$state") ]]; then
    fail "$EXIT_FAILED" "$state does not look like a state folder of MPSec (it has no configuration.db): nothing was removed; name the right one with --state."
fi

removed=()
# take_away FILE...: removes what is there and remembers it for the report.
take_away() {
    local file
    for file in "$@"; do
        [[ -e $file || -L $file ]] || continue
        rm -rf -- "$file"
        removed+=("$file")
    done
}

if has_systemd && [[ -e $UNIT ]]; then
    systemctl disable --now --quiet mpsec || fail "$EXIT_FAILED" "The service mpsec could not be stopped: 'systemctl status mpsec' says why."
    removed+=('the service mpsec')
fi
if [[ -d $state ]] && stop_process "$state"; then removed+=("process $running_pid"); fi
if [[ -d $state ]]; then
    while IFS= read -r pid; do removed+=("process $pid, which waited to undo unconfirmed changes"); done < <(stop_dead_men "$state")
fi

# Labs are network namespaces and outlive the program: the program that made them takes them down.
for program in "$INSTALLED/mpsec" "$ARTIFACTS/publish/mpsec"; do
    if [[ ! -x $program ]] || ! holds_state "$state"; then continue; fi
    ! find_dotnet || export DOTNET_ROOT="${DOTNET_ROOT:-$(dirname -- "$(readlink -f -- "$(command -v dotnet)")")}"
    if ! gone="$(timeout 60 "$program" lab down --all --state "$state")"; then
        fail "$EXIT_FAILED" "The labs could not be taken down (the line above says why); the program was stopped, nothing else was removed."
    fi
    while IFS= read -r line; do
        [[ $line != 'Lab '*' is gone' ]] || removed+=("the lab $(cut -d' ' -f2 <<<"$line")")
    done <<<"$gone"
    break
done

take_away "$UNIT" "$INSTALLED" "$INSTALLED.new"
[[ $(readlink -- "$ROOT/usr/local/bin/mpsec" || true) != /opt/mpsec/mpsec ]] || take_away "$ROOT/usr/local/bin/mpsec"
take_away "$ARTIFACTS/publish" "$ARTIFACTS/publish.new" "$ARTIFACTS/publish.log"
rmdir -- "$ARTIFACTS" 2>/dev/null || true
! has_systemd || systemctl daemon-reload
if $purge; then take_away "$state" "$ROOT/etc/mpsec" "$ROOT/etc/default/mpsec"; fi

if ((${#removed[@]})); then
    say "Removed:"
    printf '  %s\n' "${removed[@]}"
else
    say "MPSec is not installed on this machine; nothing was removed."
fi
if [[ -d $state ]]; then say "Left: $state (users, history, logs); 'uninstall.sh --purge' removes it too."; fi

# Of alternatives, the one that is installed.
present=()
while IFS=$'\t' read -r group _ package _; do
    [[ -n $group && $group != \#* ]] || continue
    IFS='|' read -r -a alternatives <<<"$package"
    for name in "${alternatives[@]}"; do
        # shellcheck disable=SC2016  # dpkg-query's own variable
        [[ $(dpkg-query -W -f '${db:Status-Abbrev}' -- "$name" 2>/dev/null || true) != ii* ]] || present+=("$name")
    done
done <"$REPO/installer/packages.tsv"
if ((${#present[@]})); then
    say "Packages that MPSec uses stay, because other programs may use them: ${present[*]}."
fi
