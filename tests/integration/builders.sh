# shellcheck shell=bash
# What the tests of testlab-builder share; sourced after lib.sh.

requires jq
mkdir -p "$TMP/cache"

# run_job NAME JSON [COMMAND...]: the job with `scratch` and `cache` added; reports
# go to $TMP/NAME.reports, the log to $TMP/NAME.log. Returns the exit status.
run_job() {
	local name=$1 json=$2

	jq -n --arg scratch "$TMP/$name" --arg cache "$TMP/cache" \
		"$json + {scratch: \$scratch, cache: \$cache}" > "$TMP/$name.json"
	"$BUILD/testlab-builder" "$TMP/$name.json" 3> "$TMP/$name.reports" 2> "$TMP/$name.log" \
		> "$TMP/$name.out"
}

# reports NAME FILTER: the jq filter over each report line, text as it is.
reports() {
	jq -r "$2" "$TMP/$1.reports"
}

# The last report's event and code, "failed EINVALID".
outcome() {
	tail -n 1 "$TMP/$1.reports" | jq -r '[.event, .code // empty] | join(" ")'
}

# make_tree FOLDER: the least that the builder takes for a kernel's source. Its
# makefile has the targets that a build calls.
make_tree() {
	mkdir -p "$1/scripts/kconfig"
	cat > "$1/scripts/kconfig/merge_config.sh" << 'END'
#!/bin/sh
# -m -O FOLDER FRAGMENT...
out=$3
shift 3
cat "$@" > "$out/.config"
END
	cat > "$1/Makefile" << 'END'
allnoconfig:
	cp $(O)/requested.config $(O)/.config
olddefconfig:
prepare:
vmlinux: ;
	@echo "  CC      init/main.o"
bzImage: vmlinux
	mkdir -p $(O)/arch/x86/boot $(O)/include/config
	echo image > $(O)/arch/x86/boot/bzImage
	echo 6.12.999 > $(O)/include/config/kernel.release
END
}

# commit_tree FOLDER TAG
commit_tree() {
	(
		cd "$1" || exit
		[ -d .git ] || git init -q -b master .
		git add -A
		git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m "$2"
		git -c user.name=t -c user.email=t@example.org tag -a -m "$2" "$2"
	)
}
