# shellcheck shell=bash
# What the tests of the daemon share; sourced after lib.sh.

requires jq sqlite3 curl

# A lab with nothing to do: no sources, no known-good kernel, quick retries.
quiet_config() {
  cat >"$TMP/testlabd.conf" <<'END'
sources = ();
known_good: { package = ""; };
retry: { attempts = 3; pause_seconds = 1; };
END
}

# Downloads are shared by the tests of one `make check`.
share_cache() {
  mkdir -p "$XDG_CACHE_HOME/lab" "$LABD_STATE"
  ln -sfn "$XDG_CACHE_HOME/lab" "$LABD_STATE/cache"
}

# find_kernel: Debian's cloud kernel as an image of our own, in $KERNEL_IMAGE and
# $KERNEL_MODULES (fetched by the builder, once; tests beside this one wait for it).
find_kernel() {
  mkdir -p "$XDG_CACHE_HOME"
  { flock 8 && find_kernel_locked; } 8>"$XDG_CACHE_HOME/kernel.lock"
}

find_kernel_locked() {
  local folder=$XDG_CACHE_HOME/kernel job=$TMP/find-kernel version
  KERNEL_IMAGE=$folder/out/bzImage
  KERNEL_MODULES=$folder/lib/modules
  [ -f "$folder/ready" ] && return 0
  rm -rf "$folder"
  mkdir -p "$folder" "$XDG_CACHE_HOME/lab"
  jq -n --arg scratch "$folder" --arg cache "$XDG_CACHE_HOME/lab" '{kind: "prebuilt",
    scratch: $scratch, cache: $cache,
    release: {name: "cloud", identity: "cloud", detail: {package: "linux-image-cloud-amd64"}}}' \
    >"$job.json"
  if ! "$BUILD/testlab-builder" "$job.json" 3>"$job.reports" 2>"$job.log" >&2; then
    tail -n 5 "$job.log" "$job.reports" | say_lines
    return 1
  fi
  tar -C "$folder" --zstd -xf "$folder/out/modules.tar.zst" && touch "$folder/ready"
}

# find_nut: that kernel with an initramfs, in $KERNEL_IMAGE and $NUT_INITRAMFS.
find_nut() {
  find_kernel || return 1
  { flock 8 && find_nut_locked; } 8>"$XDG_CACHE_HOME/nut.lock"
}

find_nut_locked() {
  local folder=$XDG_CACHE_HOME/nut job=$TMP/find-nut
  NUT_INITRAMFS=$folder/out/initramfs.img
  [ "$NUT_INITRAMFS" -nt "$KERNEL_IMAGE" ] && [ "$NUT_INITRAMFS" -nt "$BUILD/testlab-builder" ] && return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  jq -n --arg scratch "$folder" --arg cache "$XDG_CACHE_HOME/lab" --arg kernel "$XDG_CACHE_HOME/kernel/out" \
    '{kind: "image", scratch: $scratch, cache: $cache, image: ($kernel + "/bzImage"),
      modules: ($kernel + "/modules.tar.zst"), config: ($kernel + "/config"), role: "host"}' >"$job.json"
  "$BUILD/testlab-builder" "$job.json" 3>"$job.reports" 2>"$job.log" >&2 && return 0
  tail -n 5 "$job.log" "$job.reports" | say_lines
  return 1
}

# sql QUERY: an answer out of the lab's database.
sql() { sqlite3 -readonly "$LABD_STATE/lab.sqlite" "$1"; }

sql_is() { [ "$(sql "$1")" = "$2" ]; } # sql_is QUERY WANTED

# Processes that belong to the lab's scratch folder, by their command lines.
lab_children() { pgrep -f -- "$LABD_STATE/scratch/" || true; }

# trigger [SET]: a cycle of the local kernel; its id.
trigger() {
  api POST /api/v1/cycles "$(jq -n --arg image "$KERNEL_IMAGE" --arg modules "$KERNEL_MODULES" \
    --arg set "${1:-smoke}" '{image: $image, modules: $modules, name: "cloud", sets: [$set]}')" |
    jq -r .cycle_id
}
