#!/bin/bash
# Every stub of a made machine is a link to this file: it notes its call and runs the lines of stubs/NAME. The tests write no file that is
# executed, for what is open for writing in a process that is just being forked cannot be executed ("Text file busy").
name="${0##*/}" root="${0%/bin/*}"
printf '%s\n' "$name $*" >>"$root/calls"
# shellcheck source=/dev/null
source "$root/stubs/$name"
