#!/usr/bin/env bash
# Installs the system packages that MPSec needs (packages.tsv): only those that are missing, after saying which and why.
# Safe to run again: with nothing missing it changes nothing and needs neither root nor the network.
# shellcheck source=installer/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
Usage: set-up.sh [--for GROUP]... [--repair] [--dry-run] [--check]

Installs what MPSec needs and this machine lacks, by apt.

  --for GROUP   run, build, lab, kernel, test or all; several with commas or by repeating (default: run,build,lab)
  --repair      first end a package installation that was interrupted (dpkg --configure -a; your versions of settings stay)
  --dry-run     say what would be installed and why; change nothing
  --check       as --dry-run, and exit with 4 if a required package is missing
  --help        this text

Exit codes: 0 done, 1 failed, 2 usage, 3 not permitted, 4 not available on this machine.
TEXT
}

groups=''
dry_run=false
check=false
repair=false
while (($#)); do
    case $1 in
        --for)
            [[ $# -ge 2 ]] || usage_fault "--for needs a group: run, build, lab, kernel, test or all."
            groups+=",$2"
            shift
            ;;
        --for=*) groups+=",${1#--for=}" ;;
        --repair) repair=true ;;
        --dry-run) dry_run=true ;;
        --check) dry_run=true check=true ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_fault "There is no option '$1'." ;;
    esac
    shift
done
groups="${groups#,}"
groups="${groups:-run,build,lab}"
[[ ,$groups, != *,all,* ]] || groups='run,build,lab,kernel,test'
IFS=',' read -r -a group_list <<<"$groups"
for group in "${group_list[@]}"; do
    case $group in
        run | build | lab | kernel | test) ;;
        *) usage_fault "--for $group: the groups are run, build, lab, kernel, test and all." ;;
    esac
done

# proved PROOFS: one of the |-separated programs or file patterns is there.
proved() {
    local proof proofs
    IFS='|' read -r -a proofs <<<"$1"
    for proof in "${proofs[@]}"; do
        if [[ $proof == /* ]]; then
            compgen -G "$ROOT$proof" >/dev/null && return 0
        else
            have "$proof" && return 0
        fi
    done
    return 1
}

interrupted() {
    fail "$EXIT_FAILED" "An earlier package installation was interrupted: run '$0 --repair' as root (it runs 'dpkg --configure -a'), then start again."
}
if $repair; then
    if $dry_run; then
        say "Would end what an interrupted package installation left: dpkg --configure -a."
    else
        have dpkg || fail "$EXIT_NOT_AVAILABLE" "This system has no dpkg, so there is nothing to repair."
        need_root "Repairing packages"
        DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a </dev/null ||
            fail "$EXIT_FAILED" "The interrupted installation could not be ended: the lines of dpkg above say which package is in the way."
        say "No package is half configured any more."
    fi
fi

names=() needs=() reasons=()
while IFS=$'\t' read -r group need package proof why; do
    [[ -n $group && $group != \#* && ,$groups, == *,$group,* ]] || continue
    if proved "$proof" || { [[ $package == dotnet-sdk-10.0 ]] && find_dotnet; }; then
        continue
    fi
    names+=("$package") needs+=("$need") reasons+=("$why")
done <"$REPO/installer/packages.tsv"

if ((${#names[@]} == 0)); then
    say "Everything that MPSec needs ($groups) is installed."
    exit 0
fi

say "MPSec needs these packages, which this machine lacks:"
for i in "${!names[@]}"; do
    printf '  %-18s %s%s\n' "${names[$i]%%|*}" "${reasons[$i]}" "$([[ ${needs[$i]} == required ]] || printf ' (optional)')"
done
if $dry_run; then
    say "Nothing was changed (dry run)."
    if $check && [[ " ${needs[*]} " == *' required '* ]]; then exit "$EXIT_NOT_AVAILABLE"; fi
    exit 0
fi

system="$(os_release PRETTY_NAME)"
if ! have apt-get || ! have apt-cache || ! have dpkg; then
    fail "$EXIT_NOT_AVAILABLE" "${system:-This system} is not supported (no apt): install the packages above by its own package manager, then start again."
fi
case "$(os_release ID) $(os_release VERSION_ID)" in
    'debian 12' | 'debian 13' | 'ubuntu 22.04' | 'ubuntu 24.04') ;;
    *) warn "${system:-This system} has not been tried with MPSec (Debian 12 and 13, Ubuntu 22.04 and 24.04 have); going on with apt." ;;
esac
need_root "Installing packages"

space=400
[[ ,$groups, != *,build,* && ,$groups, != *,lab,* ]] || space=1500
[[ ,$groups, != *,test,* ]] || space=2500
need_space "$ROOT/var" "$space" "Installing the packages"
[[ -z $(dpkg --audit 2>/dev/null) ]] || interrupted

log="$(mktemp)"
trap 'rm -f -- "$log"' EXIT

# apt ARGUMENT...: apt-get shown to the user and kept for explain_failure; waits a minute for another apt to end.
apt() { apt-get -o DPkg::Lock::Timeout=60 -o Acquire::Retries=2 "$@" 2>&1 </dev/null | tee -- "$log"; }

# Ends the script with the sentence that fits what apt said.
explain_failure() {
    if grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log"; then
        fail "$EXIT_FAILED" "Another program is installing packages right now: wait until it has ended, then start again."
    elif grep -qE 'dpkg was interrupted|dpkg --configure -a' "$log"; then
        interrupted
    elif grep -qE 'No space left on device|enough free space' "$log"; then
        fail "$EXIT_FAILED" "The disk is full: make room, then start again."
    elif grep -qE 'Failed to fetch|Could not (resolve|connect)|Temporary failure|Network is unreachable|timed out' "$log"; then
        fail "$EXIT_NOT_AVAILABLE" "The packages could not be downloaded: connect this machine to the network (or set a proxy for apt), then start again."
    fi
    fail "$EXIT_FAILED" "$1 failed: the lines of apt-get above say why."
}

lists_fresh=true
# apt-get update ends with 0 also when it could fetch nothing.
if ! apt update -q || grep -q 'Failed to fetch' "$log"; then
    ! grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log" || explain_failure "apt-get update"
    lists_fresh=false
    warn "The package lists could not be refreshed (no network?); going on with those at hand."
fi

# offered ALTERNATIVES: prints the first of them that the distribution offers.
offered() {
    local name alternatives
    IFS='|' read -r -a alternatives <<<"$1"
    for name in "${alternatives[@]}"; do
        if apt-cache policy -- "$name" 2>/dev/null | grep -E '^ *Candidate:' | grep -qv '(none)'; then
            printf '%s' "$name"
            return 0
        fi
    done
    return 1
}

wanted=() proofs_missing=()
for i in "${!names[@]}"; do
    if name="$(offered "${names[$i]}")"; then
        wanted+=("$name")
    elif [[ ${needs[$i]} == optional ]]; then
        warn "${names[$i]%%|*} is not offered by ${system:-this system}; going on without it."
    else
        proofs_missing+=("${names[$i]%%|*}")
    fi
done
if ((${#proofs_missing[@]})); then
    $lists_fresh || fail "$EXIT_NOT_AVAILABLE" "The package lists are missing and could not be downloaded: connect this machine to the network (or set a proxy for apt), then start again."
    [[ " ${proofs_missing[*]} " != *' dotnet-sdk-10.0 '* ]] ||
        fail "$EXIT_NOT_AVAILABLE" "${system:-This system} does not offer the .NET 10 SDK: add Microsoft's package source as https://learn.microsoft.com/dotnet/core/install/linux describes, then start again."
    fail "$EXIT_NOT_AVAILABLE" "${system:-This system} does not offer ${proofs_missing[*]}: install it from elsewhere, then start again."
fi
if ((${#wanted[@]} == 0)); then
    say "Nothing to install: what is missing is optional and not offered here."
    exit 0
fi
apt install -y -q --no-install-recommends -- "${wanted[@]}" || explain_failure "apt-get install"
say "Installed: ${wanted[*]}."
