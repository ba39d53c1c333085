#!/bin/bash
# Builds a real kernel from nothing to its proof, while the builder is killed three times with -9: the server, then the supervisor of the compiler, then both.
# Touches only files below its work folder. Needs root, a build of mpsec, the packages of the group kernel, and the distribution's package archive; half an hour and more.
#   prove-build.sh WORK BUILD [OPTION...]     WORK: folder for state and logs; BUILD: folder that holds mpsec; OPTION: of mpsec kernel build (default: --profile minimal-gateway)
set -euo pipefail
mkdir -p "$1"
work=$(readlink -f "$1"); build=$(readlink -f "$2"); shift 2
(($#)) || set -- --profile minimal-gateway
state=$work/state
server=

fail() { echo "prove-build.sh: $*" >&2; exit 1; }
start() { "$build/mpsec" kernel build "$@" --wait --state "$state" >"$work/last.log" 2>&1 & server=$!; }
alive() { kill -0 "$1" 2>/dev/null; }
supervisor() { # process id of the program that looks after the compiler
  local file
  file=$(find "$state/jobs" -name 'compile.all.child.json' 2>/dev/null | head -n 1)
  [ -n "$file" ] && sed -n 's/.*"[Pp]id":\([0-9]*\).*/\1/p' "$file"
}
# makes: how many makes began the whole tree; never more than one.
makes() { pgrep -f -c "^make -j[0-9]+ -C $state/kernel/work/.* all\$" || true; }

[ ! -e "$state" ] || fail "$state is there already: give an empty work folder"

# The look for two compilers must be able to find two.
shams=()
for each in 1 2; do
  perl -e '$0 = $ARGV[0]; sleep 60' -- "make -j2 -C $state/kernel/work/$each all" &
  shams+=("$!")
done
sleep 1
found=$(makes)
kill "${shams[@]}"
wait "${shams[@]}" || true
((found == 2)) || fail "two compilers are counted as $found"

start "$@"
kills=0 seen=0
look() {
  local now
  now=$(makes)
  ((now <= 1)) || fail "two compilers at once"
  ((now == 0)) || seen=$((seen + 1))
}
for wait in "${FIRST:-120}" "${SECOND:-300}" "${THIRD:-600}"; do
  for ((second = 0; second < wait; second++)); do
    sleep 1
    alive "$server" || break
    look
  done
  alive "$server" || break
  child=$(supervisor) || true
  [ -n "$child" ] || { echo "nothing compiles yet"; continue; }
  kills=$((kills + 1))
  case $kills in
    1) echo "$(date -u +%T) kill 1: the server"; kill -9 "$server" ;;
    2) echo "$(date -u +%T) kill 2: the supervisor"; kill -9 "$child" ;;
    3) echo "$(date -u +%T) kill 3: both"; kill -9 "$server" "$child" ;;
  esac
  sleep 5
  alive "$server" || start --continue
done
while alive "$server"; do
  sleep 1
  look
done
wait "$server" || { tail -n 20 "$work/last.log" >&2; fail "the build did not end well"; }

[ "$(find "$state/kernel/built" -name provenance.json | wc -l)" -eq 1 ] || fail "not exactly one kernel was built"
log=$state/jobs/1/log
objects=$(grep -oE '\| +(CC|AS) (\[M\])? +[^ ]+$' "$log" | awk '{ print $NF }' | sort -u | wc -l)
told=$(sed -n 's/^ *"objects": \([0-9]*\),*$/\1/p' "$(find "$state/kernel/built" -name provenance.json)")
((objects >= told)) || fail "the log names $objects objects, and $told were compiled: lines are lost"
tail -n 8 "$work/last.log"
((seen > 0)) || fail "no compiler was ever seen: that there were never two says nothing"
echo "$kills kills, one kernel, $objects objects in the log, $told told; one compiler in $seen looks, never two"
