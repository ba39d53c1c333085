#!/usr/bin/env bash
# From a clone to a running MPSec: installs what is missing, builds when sources changed, starts, prints address and link.
# shellcheck source=installer/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
Usage: sudo ./installer/start-mptcp.sh [--lab] [--detach] [--port N | --urls URLS] [--state DIR] [--no-setup]
       sudo ./installer/start-mptcp.sh --stop [--state DIR]

Installs what is missing, builds MPSec, starts it, and prints its address and the one-time link that makes the first
administrator. With systemd it becomes the service 'mpsec'; elsewhere it stays in the foreground, or behind with --detach.

  --lab         bring up the lab: two gateways and four shaped paths on this machine, with live traffic
  --detach      without systemd: go on in the background (log: DIR/serve.log)
  --port N      listen on 127.0.0.1:N (default: 8080)
  --urls URLS   listen on these addresses, separated by semicolons, for example http://0.0.0.0:8080
  --state DIR   folder that holds everything MPSec writes (default: /var/lib/mpsec)
  --no-setup    install no packages
  --stop        stop MPSec; gateways, routes and labs stay as they are
  --help        this text

Exit codes: 0 done or already running, 1 failed, 2 usage, 3 not permitted, 4 not available on this machine.
TEXT
}

lab=false detach=false set_up=true stop=false port='' urls='' state=''
while (($#)); do
    case $1 in
        --lab) lab=true ;;
        --detach) detach=true ;;
        --no-setup) set_up=false ;;
        --stop) stop=true ;;
        --port=* | --urls=* | --state=*)
            set -- "${1%%=*}" "${1#*=}" "${@:2}"
            continue
            ;;
        --port | --urls | --state)
            [[ -n ${2-} ]] || usage_fault "$1 needs a value."
            printf -v "${1#--}" '%s' "$2"
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

[[ -z $port || -z $urls ]] || usage_fault "--port and --urls exclude each other."
if [[ -n $port ]]; then
    if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then usage_fault "--port $port: a port is a number from 1 to 65535."; fi
    urls="http://127.0.0.1:$port"
fi
urls="${urls:-$(setting Urls http://127.0.0.1:8080)}"
[[ ";$urls" =~ ^(;https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.*+-]+)(:[0-9]{1,5})?/?)+$ ]] ||
    usage_fault "--urls '$urls': an address reads http://127.0.0.1:8080, several are separated by semicolons."
named="$state"
state="${state:-$(setting State /var/lib/mpsec)}"
# What a sentence adds to --stop, so that it can be typed as it stands.
at="${named:+ --state $named}"
state="${state%/}"
check_state "$state"

readonly UNITS="$ROOT/etc/systemd/system"
readonly INSTALLED="$ROOT/opt/mpsec"
readonly PUBLISHED="$REPO/artifacts/publish"

need_root "MPSec"

if $stop; then
    if has_systemd && systemctl is-active --quiet mpsec; then
        systemctl stop mpsec
        say "MPSec is stopped; it starts again at the next boot unless you run 'systemctl disable mpsec'."
    elif stop_process "$state"; then
        say "MPSec is stopped."
    else
        say "MPSec is not running."
    fi
    exit 0
fi

# shown_address URLS: the first one as a browser takes it.
shown_address() {
    local url="${1%%;*}"
    url="${url/:\/\/[*+]/:\/\/localhost}"
    url="${url/:\/\/0.0.0.0/:\/\/localhost}"
    url="${url/:\/\/\[::\]/:\/\/localhost}"
    printf '%s%s/' "${url%/}" "$(setting PathBase '')"
}

# announce WORDS URLS: the two lines that a newcomer needs.
announce() {
    say "$1: $(shown_address "$2")"
    set -- "$2"
    local link="$state/first-administrator-link"
    if [[ -n $(find "$link" -mmin -30 2>/dev/null || true) ]]; then
        say "Open this link within half an hour to make the first administrator; it works once: $(head -n 1 -- "$link")"
    elif [[ -e $link ]]; then
        say "There is no administrator yet and the link has expired: stop MPSec with --stop$at and start it again to get another."
    fi
    [[ -z ${SSH_CONNECTION:-} || $1 != *://127.0.0.1:* ]] ||
        say "From another machine: ssh -L ${1##*:}:127.0.0.1:${1##*:} $(uname -n), then open the address there."
}

# Hash over everything that a build reads; a file's time says nothing after a checkout.
source_fingerprint() {
    (cd -- "$REPO" && find MPSec.Web Directory.*.props global.json BannedSymbols.txt .editorconfig installer/packages.tsv \
        \( -name bin -o -name obj -o -name node_modules -o -path MPSec.Web/wwwroot/lib \) -prune -o -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
}
fingerprint="$(source_fingerprint)"

already_running() {
    announce 'MPSec is already running' "$1"
    [[ $2 == "$fingerprint" ]] || say "It was built from other sources than these: stop it with --stop$at and start again to use them."
    exit 0
}
if has_systemd && systemctl is-active --quiet mpsec; then
    already_running "$(sed -n 's/^MPSEC_URLS=//p' "$INSTALLED/start.env" 2>/dev/null)" "$(cat -- "$INSTALLED/.sources" 2>/dev/null || true)"
elif running_process "$state"; then
    already_running "$running_urls" "$running_fingerprint"
fi

# --- Everything that can be known to fail is told before anything is installed or built. ---

# The mode of a folder that exists is its owner's affair.
if ! { [[ -d $state ]] || install -d -m 0700 -- "$state"; } 2>/dev/null || ! probe="$(mktemp -- "$state/.writable.XXXXXX" 2>/dev/null)"; then
    fail "$EXIT_FAILED" "The state folder $state cannot be written: make it writable, or choose another with --state."
fi
rm -f -- "$probe"

# holder_of PORT: name and process id of the program that listens there, as far as they can be known.
holder_of() {
    local hex inode fd
    hex="$(printf '%04X' "$1")"
    inode="$(awk -v port=":$hex" '$4 == "0A" && index($2, port) == length($2) - 4 { print $10; exit }' "$ROOT/proc/net/tcp" "$ROOT/proc/net/tcp6" 2>/dev/null || true)"
    [[ -n $inode ]] || return 1
    fd="$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null || true)"
    if [[ $fd =~ ^/proc/([0-9]+)/ ]]; then
        printf '%s (process %s)' "$(tr -dc '[:print:]' <"/proc/${BASH_REMATCH[1]}/comm")" "${BASH_REMATCH[1]}"
    else
        printf 'another program'
    fi
}
IFS=';' read -r -a url_list <<<"$urls"
for url in "${url_list[@]}"; do
    url="${url%/}"
    if [[ $url =~ :([0-9]+)$ ]]; then number="${BASH_REMATCH[1]}"; elif [[ $url == https:* ]]; then number=443; else number=80; fi
    number=$((10#$number))
    ((number >= 1 && number <= 65535)) || usage_fault "--urls '$url': a port is a number from 1 to 65535."
    ! holder="$(holder_of "$number")" || fail "$EXIT_FAILED" "Port $number is taken by $holder: stop it, or choose another port with --port."
done

if [[ ! -e $ROOT/proc/sys/net/mptcp/enabled ]]; then
    ! $lab || fail "$EXIT_NOT_AVAILABLE" "This kernel ($(uname -r)) has no Multipath TCP, which the lab needs: start without --lab, or boot a kernel from 5.6 on with CONFIG_MPTCP=y."
    warn "This kernel ($(uname -r)) has no Multipath TCP (Linux 5.6 or newer with CONFIG_MPTCP=y): MPSec starts, and shows plain TCP only."
fi

# --- Set-up and build, each only when needed. ---

up_to_date() { [[ -x $PUBLISHED/mpsec && $(cat -- "$PUBLISHED/.sources" 2>/dev/null) == "$fingerprint" ]]; }

up_to_date || need_space "$REPO" 1500 "Building MPSec"
need_space "$state" 100 "MPSec"

if $set_up; then
    # Optional packages are tried once per package list, not at every start.
    mark="$state/.packages"
    if ! "$REPO/installer/set-up.sh" --check >/dev/null; then
        "$REPO/installer/set-up.sh"
        cp -- "$REPO/installer/packages.tsv" "$mark"
    elif ! cmp -s -- "$REPO/installer/packages.tsv" "$mark"; then
        "$REPO/installer/set-up.sh" || warn "Going on: all required packages are there, only optional ones are missing."
        cp -- "$REPO/installer/packages.tsv" "$mark"
    fi
fi
find_dotnet || fail "$EXIT_NOT_AVAILABLE" "The .NET 10 SDK was not found: start without --no-setup, or install it as https://learn.microsoft.com/dotnet/core/install/linux describes."
dotnet_environment
DOTNET_ROOT="$(dirname -- "$(readlink -f -- "$(command -v dotnet)")")"
export DOTNET_ROOT

publish() {
    local log="$REPO/artifacts/publish.log" runtime
    case "$(uname -m)" in
        x86_64) runtime=linux-x64 ;;
        aarch64) runtime=linux-arm64 ;;
        *) fail "$EXIT_NOT_AVAILABLE" "MPSec is built for x86_64 and aarch64; this machine is $(uname -m)." ;;
    esac
    say "Building MPSec (a minute or two the first time) ..."
    as_owner mkdir -p -- "$REPO/artifacts"
    as_owner rm -rf -- "$PUBLISHED.new"
    if ! as_owner dotnet publish "$REPO/MPSec.Web/MPSec.Web.csproj" -c Release -r "$runtime" --self-contained false \
        -p:PublishReadyToRun=true -p:RestoreLockedMode=true -o "$PUBLISHED.new" </dev/null 2>&1 | as_owner tee -- "$log" >/dev/null; then
        tail -n 20 -- "$log" >&2
        ! grep -qE 'NU1301|NU1302|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|Name or service not known|Temporary failure' "$log" ||
            fail "$EXIT_NOT_AVAILABLE" "The packages that MPSec is built from could not be downloaded: connect this machine to the network, then start again."
        ! grep -qE 'SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY)|UntrustedRoot|PartialChain' "$log" ||
            fail "$EXIT_NOT_AVAILABLE" "The certificate of a package registry is not trusted on this machine: add the one of your proxy by update-ca-certificates and in NODE_EXTRA_CA_CERTS, then start again."
        ! grep -q 'No space left on device' "$log" || fail "$EXIT_FAILED" "The disk is full: make room, then start again."
        fail "$EXIT_FAILED" "The build failed: the lines above and $log say why."
    fi
    printf '%s\n' "$fingerprint" | as_owner tee -- "$PUBLISHED.new/.sources" >/dev/null
    as_owner rm -rf -- "$PUBLISHED"
    as_owner mv -- "$PUBLISHED.new" "$PUBLISHED"
}
up_to_date || publish

rm -f -- "$state/first-administrator-link" # of a server that was killed
arguments=(serve --state "$state" --urls "$urls")
! $lab || arguments+=(--lab)

# ready: the server says that it can serve. An https address is only asked whether it accepts connections.
# In a process of its own: a server that closes early must not end this script, nor leave words on its standard error.
ready() (
    exec 2>/dev/null
    local url="${urls%%;*}" host number answer=''
    url="${url%/}"
    host="$(shown_address "$urls")"
    host="${host#*://}"
    host="${host%%/*}"
    if [[ $url =~ :([0-9]+)$ ]]; then number="${BASH_REMATCH[1]}"; elif [[ $url == https:* ]]; then number=443; else number=80; fi
    host="${host%:"$number"}"
    host="${host#[}"
    host="${host%]}"
    exec 3<>"/dev/tcp/$host/$number" || exit 1
    if [[ $url == http:* ]]; then
        # By cat: bash's own printf sends a request line by line.
        cat <<<"GET /healthz/ready HTTP/1.1"$'\r\n'"Host: $host"$'\r\nConnection: close\r\n\r' >&3 || true
        IFS= read -r -t 5 answer <&3 || true
    fi
    [[ $url == https:* || $answer == 'HTTP/1.1 200 '* ]]
)

# The link is written a moment after the first answer. Without one, an administrator exists.
await_link() {
    local waited
    for ((waited = 0; waited < 10; waited++)); do
        [[ ! -s $state/first-administrator-link ]] || return 0
        sleep 0.1
    done
}

# wait_ready ALIVE...: up to a minute, for as long as the command ALIVE succeeds.
wait_ready() {
    local waited
    for ((waited = 0; waited < 600; waited++)); do
        if ready; then
            await_link
            return 0
        fi
        "$@" || return 1
        sleep 0.1
    done
    return 2
}

if has_systemd; then
    rm -rf -- "$INSTALLED.new"
    cp -r -- "$PUBLISHED" "$INSTALLED.new"
    chown -R root:root -- "$INSTALLED.new" # the clone may belong to a user, the service runs as root
    printf 'DOTNET_ROOT=%s\nMPSEC_URLS=%s\nMPSEC_ARGUMENTS=%s\nMPSEC_STATE=%s\n' "$DOTNET_ROOT" "$urls" "${arguments[*]:1}" "$state" >"$INSTALLED.new/start.env"
    rm -rf -- "$INSTALLED"
    mv -- "$INSTALLED.new" "$INSTALLED"
    ln -sfn -- /opt/mpsec/mpsec "$ROOT/usr/local/bin/mpsec"
    install -m 0644 -- "$REPO/installer/systemd/mpsec.service" "$REPO/installer/systemd/mpsec-network.service" "$UNITS/"
    systemctl daemon-reload
    # mpsec-network restores saved configurations at boot; now everything stands as it is.
    if ! systemctl enable --quiet mpsec mpsec-network || ! systemctl restart mpsec || ! wait_ready systemctl is-active --quiet mpsec; then
        journalctl -u mpsec -n 20 --no-pager >&2 || true
        fail "$EXIT_FAILED" "The service mpsec did not start: 'journalctl -u mpsec' says why."
    fi
    announce 'MPSec is running' "$urls"
    say "It is the service 'mpsec' and starts at boot; its log: journalctl -u mpsec. To stop it: sudo ./installer/start-mptcp.sh --stop$at"
    exit 0
fi

cd -- "$PUBLISHED"
if ! $detach; then
    record_process "$state" "$BASHPID" "$fingerprint" "$urls" # exec keeps process id and start time
    server=$BASHPID
    (
        # In the background twice, so that init and not the server is the parent of what ends here.
        (! wait_ready kill -0 "$server" || announce 'MPSec is running' "$urls") &
    )
    exec "$PUBLISHED/mpsec" "${arguments[@]}"
fi

log="$state/serve.log"
[[ ! -e $log ]] || mv -f -- "$log" "$log.1"
(umask 077 && : >"$log")
setsid "$PUBLISHED/mpsec" "${arguments[@]}" </dev/null >>"$log" 2>&1 &
record_process "$state" "$!" "$fingerprint" "$urls"
ended=0
wait_ready running_process "$state" || ended=$?
if ((ended == 1)); then
    status=0
    wait "$!" || status=$?
    rm -f -- "$state/serve.pid"
    tail -n 20 -- "$log" >&2
    fail "$((status == 0 ? EXIT_FAILED : status))" "MPSec ended while it started: the lines above and $log say why."
elif ((ended == 2)); then
    fail "$EXIT_FAILED" "MPSec runs (process $!) but was not ready within a minute: $log says why."
fi
announce 'MPSec is running' "$urls"
say "It runs in the background; its log: $log. To stop it: sudo ./installer/start-mptcp.sh --stop$at"
