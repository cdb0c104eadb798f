#!/bin/bash
# A git repository as a source: releases are found, a new tag appears, hostile
# and broken remotes give clear errors.
. "$(dirname "$0")/lib.sh" || exit 1
requires git perl
. "$(dirname "$0")/builders.sh"

up=$TMP/upstream
watch() {
	run_job "$1" "{kind: \"watch\", source: {name: \"up\", kind: \"git\", location: \"${2:-$up}\",
		tags: ${3:-[]}}}"
}

make_tree "$up"
commit_tree "$up" v6.12.9
commit_tree "$up" v6.13-rc1
git -C "$up" tag v6.12.10 v6.12.9 # light
git -C "$up" tag not-a-release
git -C "$up" tag odd/name
git -C "$up" tag v6.1-tree 'HEAD^{tree}'

watch first
is "$(outcome first)" "done" "a repository is watched"
is "$(reports first 'select(.event == "release").name' | xargs)" "v6.12.9 v6.12.10 v6.13-rc1" \
	"its releases, oldest first, and nothing else"
is "$(reports first 'select(.name == "v6.13-rc1") | "\(.series) \(.type)"')" "mainline rc" \
	"series and type of a candidate"
is "$(reports first 'select(.name == "v6.12.10") | .identity')" \
	"$(git -C "$up" rev-parse 'v6.12.10^{commit}')" "the identity is the commit"

commit_tree "$up" v6.12.11
watch second "$up" '["v6.12.*"]'
is "$(reports second 'select(.event == "release").name' | xargs)" "v6.12.9 v6.12.10 v6.12.11" \
	"a new tag appears, and patterns choose"

watch missing "$TMP/nothing"
is "$(outcome missing)" "failed ENOTFOUND" "a location that is not there"
mkdir "$TMP/empty"
watch empty "$TMP/empty"
like "$(reports empty .text)" "'?$TMP/empty'?: could not find repository" "a folder that is no repository"
watch scheme 'ext::sh -c touch% /tmp/evil'
is "$(outcome scheme)" "failed EINVALID" "a location that would run a program"
run_job kind '{kind: "watch", source: {name: "x", kind: "cvs", location: "/"}}'
like "$(reports kind .text)" "'cvs': expected 'git' or 'debian'" "an unknown kind names the known ones"

# A tree with an entry "..", which git itself never makes.
blob=$(echo evil | git -C "$up" hash-object -w --stdin)
tree=$({ printf '100644 ..\0'; perl -e 'print pack "H*", shift' "$blob"; } |
	git -C "$up" hash-object -t tree -w --literally --stdin)
commit=$(git -C "$up" -c user.name=t -c user.email=t@example.org commit-tree -m evil "$tree")
git -C "$up" tag v6.66 "$commit"
run_job evil "{kind: \"build\", source: {name: \"up\", kind: \"git\", location: \"$up\"},
	release: {name: \"v6.66\", detail: {commit: \"$commit\", tag: \"v6.66\"}},
	jobs: 1, config_name: \"tiny\", previous_config: null, ccache_dir: \"$TMP/ccache\"}"
is "$(outcome evil)" "failed EINVALID" "a tree with an entry '..' is refused"
like "$(reports evil 'select(.event == "failed").text')" "entry '\.\.'" "and the entry is named"

# Two jobs on one cache.
watch both1 & watch both2
wait
is "$(outcome both1) $(outcome both2)" "done done" "two jobs share the cache"
