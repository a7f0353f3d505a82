#!/bin/sh
# Boots a QEMU, pauses it, looks at it and quits it: lines of QMP 0.1, sent by socat.
set -eu

folder=$(mktemp -d)
qemu-system-x86_64 -machine pc,accel=tcg -display none -name script \
    -qmp "unix:$folder/qemu.sock,server=on,wait=off" &
twistd -n --pidfile= --logfile="$folder/log" qmp-proxy --dialect text --journal "$folder/journal" \
    --connect "unix:$folder/qemu.sock" --listen "unix:$folder/text.sock" &
gateway=$!
trap 'kill $gateway; wait $gateway || :; rm -r "$folder"' EXIT

monitor() {
    printf '%s\n' "$@" | socat -t 60 - "UNIX-CONNECT:$folder/text.sock,retry=600,interval=0.1"
}

monitor "info name" "info status"
monitor stop "info status" "info cpus" "info block" "set_link foo down"
monitor cont quit
