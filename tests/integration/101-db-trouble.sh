#!/bin/bash
# A database that cannot be used is refused with its path and the reason, and is
# left as it is; a full disk stops no lab.
# takes: 30 s, limit: 300 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
plan 10
quiet_config
db=$LABD_STATE/lab.sqlite

refused() { # refused PATTERN NAME
  local before
  before=$(sha256sum <"$db")
  run "$TESTLABD" --config "$TMP/testlabd.conf" --state "$LABD_STATE" --listen 127.0.0.1:0
  like "$status $error" "^1 testlabd: database '$db': $1" "$2"
  is "$(sha256sum <"$db")" "$before" "$2: it is left as it is"
}

mkdir -p "$LABD_STATE"
yes "Dear lab, this is a letter." | head -c 8192 >"$db"
refused "this file is not a SQLite database" "a file that is no database"
rm "$db"
sqlite3 "$db" 'PRAGMA application_id = 7; CREATE TABLE cake (a)'
refused "made by another program" "another program's database"
rm "$db"
start_testlabd
stop_testlabd
sqlite3 "$db" 'PRAGMA journal_mode = delete; PRAGMA user_version = 999' >"$TMP/mode"
refused "version 999 was written by a newer testlabd" "a newer database"
rm "$db"

if [ "$(id -u)" -ne 0 ]; then
  skip "no permission" "needs root to become another user"
  skip "a full disk stops no lab" "needs root to mount a small file system"
  skip "it says so" "needs root"
  skip "and goes on" "needs root"
  exit
fi
chmod 711 "$TMP"
mkdir -m 755 "$TMP/foreign"
run setpriv --reuid=65534 --regid=65534 --clear-groups "$TESTLABD" --config /dev/null \
  --state "$TMP/foreign/lab" --listen 127.0.0.1:0
like "$status $error" "^1 testlabd: state folder: .*Permission denied" "no permission"

mkdir -p "$TMP/small"
mount -t tmpfs -o size=6m none "$TMP/small" 2>/dev/null || {
  skip "a full disk stops no lab" "mounting is not allowed"
  skip "it says so" "mounting is not allowed"
  skip "and goes on" "mounting is not allowed"
  exit
}
on_exit umount "$TMP/small"
LABD_STATE=$TMP/small/lab
start_testlabd
head -c 12000000 /dev/urandom >"$TMP/image"
KERNEL_IMAGE=$TMP/image KERNEL_MODULES=
cycle=$(api POST /api/v1/cycles "{\"image\": \"$TMP/image\"}" | jq -r .cycle_id)
ok "a full disk stops no lab: it still answers" wait_for 30 api GET "/api/v1/cycles/$cycle"
wait_for 60 sql_is "SELECT state FROM cycle WHERE cycle_id = $cycle" failed
like "$(sql "SELECT note FROM cycle WHERE cycle_id = $cycle")" \
  "the lab's own trouble.*([Nn]o space left|disk full|disk is full)" "it says so"
ok "and goes on" api GET /api/v1/status
