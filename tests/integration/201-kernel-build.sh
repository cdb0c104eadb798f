#!/bin/bash
# shellcheck disable=SC2016 # makefiles are full of dollars
# Building kernels that are none: small trees whose makefiles succeed, fail,
# misbehave or never end. The end-to-end test builds a real one.
. "$(dirname "$0")/lib.sh" || exit 1
requires git make gcc
. "$(dirname "$0")/builders.sh"

# build_tree NAME [PREVIOUS]: build $TMP/NAME.tree
build_tree() {
	commit_tree "$TMP/$1.tree" v6.12.1
	run_job "$1" "{kind: \"build\", source: {name: \"t\", kind: \"git\", location: \"$TMP/$1.tree\"},
		release: {name: \"v6.12.1\",
			detail: {commit: \"$(git -C "$TMP/$1.tree" rev-parse HEAD)\", tag: \"v6.12.1\"}},
		jobs: 2, config_name: \"tiny\", previous_config: ${2:-null},
		ccache_dir: \"$TMP/ccache\"}"
}

make_tree "$TMP/good.tree"
build_tree good
is "$(outcome good)" "done" "a tree that builds"
is "$(reports good 'select(.event == "artifact").role' | sort | xargs)" "build-log config image" \
	"hands over image, configuration and log"
is "$(reports good 'select(.event == "done") | "\(.uname) \(.objects)"')" "6.12.999 1" \
	"says which kernel it is and how many objects it has"
like "$(reports good 'select(.event == "done").compiler')" '^gcc' "and by which compiler"
like "$(reports good 'select(.event == "decision").text')" 'bubblewrap' "tells how it was shut in"

make_tree "$TMP/next.tree"
grep -v CONFIG_IPV6_MIP6 "$TMP/good/out/config" > "$TMP/previous"
echo CONFIG_OLD=m >> "$TMP/previous"
build_tree next "\"$TMP/previous\""
is "$(reports next 'select(.event == "done").config_diff' | xargs)" \
	"+CONFIG_IPV6_MIP6=y -CONFIG_OLD=m" "what changed against the release before"

make_tree "$TMP/lost.tree"
sed -i '/olddefconfig:/a\	sed -i /CONFIG_IPV6_MIP6/d $(O)/.config' "$TMP/lost.tree/Makefile"
build_tree lost
like "$(reports lost 'select(.event == "decision").text')" 'CONFIG_IPV6_MIP6=y \(is n\)' \
	"an option that did not survive is named"

make_tree "$TMP/broken.tree"
echo 'int main(void) { return x; }' > "$TMP/broken.tree/main.c"
sed -i 's/^vmlinux: ;/vmlinux:\n\t$(CC) -c -o $(O)\/main.o main.c/' "$TMP/broken.tree/Makefile"
build_tree broken
is "$(outcome broken)" "failed EFAIL" "a tree that does not compile"
is "$(reports broken 'select(.event == "failed").kernel_failed')" true "is the kernel's failure"
like "$(reports broken 'select(.event == "failed").first_error')" "main.c:1:.*error: .x. undeclared" \
	"with the first error"
is "$(reports broken 'select(.role == "build-log").role')" build-log "and its log is handed over"

make_tree "$TMP/tool.tree"
sed -i '/^prepare:/a\	no-such-tool --now' "$TMP/tool.tree/Makefile"
build_tree tool
is "$(reports tool 'select(.event == "failed").kernel_failed')" null \
	"a missing program is not the kernel's failure"
like "$(reports tool 'select(.event == "failed").text')" 'no-such-tool' "and is named"

make_tree "$TMP/escape.tree"
sed -i "/^prepare:/a\	touch $TMP/escaped" "$TMP/escape.tree/Makefile"
build_tree escape
if reports escape 'select(.event == "decision").text' | grep -q 'builds in bubblewrap'; then
	is "$(outcome escape)" "failed EFAIL" "a makefile that writes outside fails"
	ok "and has written nothing" test ! -e "$TMP/escaped"
else
	skip "a makefile that writes outside fails" "bubblewrap does not work here"
fi

make_tree "$TMP/config.tree"
build_tree config
jq '.config_name = "huge"' "$TMP/config.json" > "$TMP/config2.json"
"$BUILD/testlab-builder" "$TMP/config2.json" 3> "$TMP/config.reports" 2> /dev/null
like "$(reports config 'select(.event == "failed").text')" "'huge' is neither" \
	"an unknown configuration"

# A disk that is too small is found before anything is unpacked.
if unshare -rm true 2> /dev/null; then
	mkdir "$TMP/small"
	jq ".scratch = \"$TMP/small/job\"" "$TMP/good.json" > "$TMP/small.json"
	unshare -rm sh -c 'mount -t tmpfs -o size=1m none "$1/small" && exec "$2" "$1/small.json"' \
		sh "$TMP" "$BUILD/testlab-builder" 3> "$TMP/small.reports" 2> "$TMP/small.log"
	is "$(outcome small)" "failed ENOSPC" "a full disk"
	is "$(reports small .kernel_failed)" null "is not the kernel's failure"
else
	skip "a full disk" "unshare does not work here"
fi

# A makefile that forks off and never ends. Its processes are told apart by their argument.
mark=86399.$$
make_tree "$TMP/endless.tree"
sed -i "/^prepare:/a\	setsid sleep $mark \& sleep $mark" "$TMP/endless.tree/Makefile"
build_tree endless &
sleepers() {
	pgrep -f "^sleep $mark" > /dev/null
}
no_sleepers() {
	! sleepers
}
ok "an endless build runs" wait_for 20 sleepers
builder=$(pgrep -f "testlab-builder $TMP/endless.json")
start=$(date +%s%N)
kill -TERM "$builder"
wait %1
is $? 1 "SIGTERM ends it with status 1"
ok "within 5 s" test $((($(date +%s%N) - start) / 1000000)) -lt 5000
is "$(outcome endless)" "failed ECANCELLED" "and a report that says so"
ok "and no process is left" wait_for 1 no_sleepers
