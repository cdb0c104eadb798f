#!/usr/bin/env bash
# What packets/ builds and captures, as another program reads it: tshark sees no fault in
# packets that are right, each fault in packets that are wrong, and the comments.
. "$(dirname "$0")/lib.sh"
requires tshark

# All that tshark can find: broken dissection, errors of its experts, wrong checksums.
faults='_ws.malformed || _ws.expert.severity == error || icmpv6.checksum.status == "Bad"
	|| udp.checksum.status == "Bad" || tcp.checksum.status == "Bad"'

read_capture() { # read_capture CAPTURE OPTION...
  local capture=$1
  shift
  tshark -n -r "$capture" -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE \
    -o ipv6.defragment:TRUE "$@" 2>"$TMP/tshark.err"
}

plan 7
ok "packets are built" "$BUILD/tests/packet-capture" "$ROOT/tests/data/packets.lua" "$TMP/right.pcapng"
count=$(grep -c . < <(read_capture "$TMP/right.pcapng"))
isnt "$count" 0 "tshark reads them ($count frames)"
is "$(read_capture "$TMP/right.pcapng" -Y "$faults")" "" "tshark finds no fault"
# The layers, as the script says that they are.
read_capture "$TMP/right.pcapng" -T fields -E separator='|' -e frame.protocols -e frame.comment |
  sed -e 's/^eth:ethertype/ethertype/' |
  awk -F'|' '$1 != $2 { print "frame " NR ": " $1 " instead of " $2 }' >"$TMP/differences"
is "$(<"$TMP/differences")" "" "tshark finds the layers that were meant"
is "$(read_capture "$TMP/right.pcapng" -T fields -e frame.time_epoch -c 1)" 1795478400.123456789 \
  "times have nanoseconds"

ok "wrong packets are built" "$BUILD/tests/packet-capture" "$ROOT/tests/data/packets-wrong.lua" "$TMP/wrong.pcapng"
is "$(read_capture "$TMP/wrong.pcapng" -Y "$faults" -T fields -e frame.number | tr '\n' ' ')" \
  "1 2 3 4 5 6 " "tshark finds a fault in each of them"
