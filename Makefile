# Testlab. `make help` lists the targets. GNU make, non-recursive: each folder's
# module.mk lists its sources.

CC ?= gcc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
-include config.mk

# What is needed at least, as in Debian 12; checked at the start of a build.
PACKAGES := 'jansson >= 2.14' 'libarchive >= 3.6' 'libconfig >= 1.5' 'libcrypto >= 3.0' 'libcurl >= 7.88' \
	'libgit2 >= 1.5' 'libmicrohttpd >= 0.9.75' 'libuv >= 1.44' 'libvirt >= 9.0' 'libzstd >= 1.5' \
	'lua5.4 >= 5.4.4' 'sqlite3 >= 3.40'
TEST_PACKAGES := 'cmocka >= 1.1.5'

VERSION := 0.1.0
MODULES := base packets db builders vclock runners suites orchestrator web cli tests fuzz

# A build of its own for each sanitizer (asan, fuzz), so that switching costs nothing.
SAN ?=
BUILD := build$(if $(SAN),-$(SAN))

# Goals that build nothing need no libraries.
idle_goals := help clean deps check check-style check-integration demo demo-stop format dist
ifneq ($(filter-out $(idle_goals),$(or $(MAKECMDGOALS),all)),)
missing := $(shell for p in $(PACKAGES) $(TEST_PACKAGES); do pkg-config --exists "$$p" || printf "%s, " "$$p"; done)
ifneq ($(missing),)
$(error missing libraries (or pkg-config itself): $(missing)`make deps` installs what is missing)
endif
package_cflags := $(shell pkg-config --cflags $(PACKAGES))
endif

LAB_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. -I$(BUILD) -MMD -MP -fno-common -fvisibility=hidden -fPIE \
	-DLAB_VERSION='"$(VERSION)"' -DLAB_PREFIX='"$(PREFIX)"' $(package_cflags) \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
	-Wvla -Wwrite-strings -Wpointer-arith -Wundef -Wcast-qual -Wimplicit-fallthrough -Wnull-dereference \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion \
	-Werror=attributes
LAB_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ifdef DEVELOPER
LAB_CFLAGS += -Werror
endif
ifeq ($(SAN),asan)
LAB_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LAB_LDFLAGS += -fsanitize=address,undefined
else ifeq ($(SAN),fuzz)
CC := clang
LAB_CFLAGS += -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer
LAB_LDFLAGS += -fsanitize=address,undefined
else
LAB_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
endif

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

.DEFAULT_GOAL := all

# Filled by the module.mk files.
PROGRAMS :=
UNIT_TESTS :=
TEST_PROGRAMS :=
FUZZERS :=
ALL_OBJECTS :=

# $(call objects,SOURCES)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# $(call program,NAME,SOURCES,LIBRARY MODULES,PKG-CONFIG PACKAGES[,FOLDER])
# links $(BUILD)/NAME from its own sources and the archives of the modules.
define program_template
PROGRAMS += $(BUILD)/$(1)
ALL_OBJECTS += $(call objects,$(2))
$(BUILD)/$(1): $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) $(BUILD)/flags
	$(say) LINK $$@
	$(Q)$$(CC) $$(CFLAGS) $$(LAB_CFLAGS) -o $$@ $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) \
		$$(LDFLAGS) $$(LAB_LDFLAGS) $$(shell pkg-config --libs $(4)) -lm
endef
program = $(eval $(call program_template,$(1),$(2),$(3),$(4)))

# $(call archive,NAME,SOURCES): $(BUILD)/libNAME.a
define archive_template
ALL_OBJECTS += $(call objects,$(2))
$(BUILD)/lib$(1).a: $(call objects,$(2))
	$(say) AR $$@
	$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
archive = $(eval $(call archive_template,$(1),$(2)))

# $(call unit_test,NAME,SOURCES,LIBRARY MODULES,PACKAGES): $(BUILD)/tests/NAME, run by check-unit.
define unit_test_template
UNIT_TESTS += $(BUILD)/tests/$(1)
ALL_OBJECTS += $(call objects,$(2))
$(BUILD)/tests/$(1): $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) $(BUILD)/flags
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(CFLAGS) $$(LAB_CFLAGS) -o $$@ $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) \
		$$(LDFLAGS) $$(LAB_LDFLAGS) $$(shell pkg-config --libs cmocka $(4)) -lm
endef
unit_test = $(eval $(call unit_test_template,$(1),$(2),$(3),$(4)))

# $(call test_program,NAME,SOURCES,LIBRARY MODULES,PACKAGES): $(BUILD)/tests/NAME, run by integration tests.
define test_program_template
TEST_PROGRAMS += $(BUILD)/tests/$(1)
ALL_OBJECTS += $(call objects,$(2))
$(BUILD)/tests/$(1): $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) $(BUILD)/flags
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(CFLAGS) $$(LAB_CFLAGS) -o $$@ $(call objects,$(2)) $(patsubst %,$(BUILD)/lib%.a,$(3)) \
		$$(LDFLAGS) $$(LAB_LDFLAGS) $(if $(4),$$(shell pkg-config --libs $(4)))
endef
test_program = $(eval $(call test_program_template,$(1),$(2),$(3),$(4)))

# $(call fuzzer,NAME,LIBRARY MODULES,PACKAGES): $(BUILD)/fuzz/NAME from fuzz/NAME.c; with SAN=fuzz libFuzzer
# drives it, else fuzz/main.c replays the folders given to it.
fuzz_main := $(if $(filter fuzz,$(SAN)),,fuzz/main.c)
define fuzzer_template
FUZZERS += $(BUILD)/fuzz/$(1)
ALL_OBJECTS += $(call objects,fuzz/$(1).c)
$(BUILD)/fuzz/$(1): $(call objects,fuzz/$(1).c $(fuzz_main)) $(patsubst %,$(BUILD)/lib%.a,$(2)) $(BUILD)/flags
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(CFLAGS) $$(LAB_CFLAGS) -o $$@ $(call objects,fuzz/$(1).c $(fuzz_main)) \
		$(patsubst %,$(BUILD)/lib%.a,$(2)) $(if $(fuzz_main),,-fsanitize=fuzzer) \
		$$(LDFLAGS) $$(LAB_LDFLAGS) $$(shell pkg-config --libs $(3)) -lm
endef
fuzzer = $(eval $(call fuzzer_template,$(1),$(2),$(3)))

# $(call preload,NAME,SOURCES,LIBRARIES): $(BUILD)/libNAME.so, to be preloaded into a program that is not
# ours. Never sanitized (that program is not), no fortified wrappers (it defines what they wrap).
PRELOAD_CFLAGS := -fPIC -U_FORTIFY_SOURCE -fno-sanitize=all
define preload_template
PROGRAMS += $(BUILD)/lib$(1).so
ALL_OBJECTS += $(patsubst %.c,$(BUILD)/pic/%.o,$(2))
$(BUILD)/lib$(1).so: $(patsubst %.c,$(BUILD)/pic/%.o,$(2)) $(BUILD)/flags
	$(say) LINK $$@
	$(Q)$$(CC) $$(CFLAGS) $$(LAB_CFLAGS) $$(PRELOAD_CFLAGS) -shared -o $$@ $(patsubst %.c,$(BUILD)/pic/%.o,$(2)) \
		$$(LDFLAGS) -Wl,-z,relro,-z,now,-z,defs $(3)
endef
preload = $(eval $(call preload_template,$(1),$(2),$(3)))

-include $(MODULES:%=%/module.mk)

all_sources = $(sort $(patsubst $(BUILD)/pic/%.o,%.c,$(ALL_OBJECTS:$(BUILD)/obj/%.o=%.c)))

all: $(PROGRAMS) ## build the programs (build/testlab, build/testlabd, ...)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) $(LAB_CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) $(LAB_CFLAGS) $(PRELOAD_CFLAGS) $(CPPFLAGS) -c -o $@ $<

# Everything is built again when compiler or flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LAB_CFLAGS) $(LDFLAGS) $(LAB_LDFLAGS))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LAB_CFLAGS) $(LDFLAGS) $(LAB_LDFLAGS))' > $@

deps: ## install the Debian packages that are missing (tools/packages.txt)
	$(Q)tools/install-deps

# --- tests: each is a program that prints TAP; tools/check runs them and counts -------------------------

check: ## install what is missing, build strictly, run every test
	$(Q)tools/install-deps
	$(Q)tools/check

tests: $(UNIT_TESTS) $(TEST_PROGRAMS) $(FUZZERS) ## build the unit tests and the replaying fuzz targets

list-tests:
	@echo $(UNIT_TESTS) $(FUZZERS)

check-unit: $(UNIT_TESTS) ## unit tests
	$(Q)tools/check unit $(UNIT_TESTS)

check-integration: ## tests/integration (as `prove tests/integration/NNN-topic.sh` does)
	$(Q)tools/check integration

check-asan: ## unit tests and fuzz corpora with the address and undefined behaviour sanitizers
	$(Q)$(MAKE) SAN=asan check-unit fuzz-replay

check-style: ## layers, headers, banned functions, formatting
	$(Q)tools/check style

fuzz-replay: $(FUZZERS) ## run the corpora of the fuzz targets
	$(Q)tools/check replay $(FUZZERS)

fuzz: ## 60 s of libFuzzer (clang) for each target; FUZZ_SECONDS=N changes it
	$(Q)$(MAKE) SAN=fuzz fuzz-run

FUZZ_SECONDS ?= 60
fuzz-run: $(FUZZERS)
	$(Q)for f in $(FUZZERS); do \
		mkdir -p $(BUILD)/corpus/$${f##*/} && \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/corpus/$${f##*/}- $(BUILD)/corpus/$${f##*/} fuzz/corpus/$${f##*/} || exit 1; \
	done

lint: compile-commands ## clang-tidy over our sources (.clang-tidy)
	$(Q)printf '%s\n' $(all_sources) | \
		xargs -P $$(nproc) -n 8 clang-tidy --quiet

format: ## clang-format over our sources
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

# For tools/check-headers, which compiles each header by itself.
check-headers:
	$(Q)CC='$(CC)' CFLAGS='$(LAB_CFLAGS)' tools/check-headers

# --- measuring and showing ------------------------------------------------------------------------------

demo-stop: ## stop the lab that `make demo` started
	$(Q)tools/demo stop

bench: all $(BUILD)/tests/sample_lab ## measure: builds, boots, restores, tests, repeats, pages
	$(Q)tools/bench

demo: ## install what is missing, build, start the lab, show its main job
	$(Q)tools/install-deps
	$(Q)$(MAKE) all
	$(Q)tools/demo

# --- installing ------------------------------------------------------------------------------------------

bin := $(DESTDIR)$(PREFIX)/bin
libexec := $(DESTDIR)$(PREFIX)/libexec/testlab
share := $(DESTDIR)$(PREFIX)/share
# What the programs read at run time: everything in these folders that is not compiled.
data_files = $(shell find suites builders -type f ! -name '*.[ch]' ! -name '*.mk' ! -name '*.md')
men := $(wildcard man/*.[158])

install: all ## install below $(DESTDIR)$(PREFIX)
	$(Q)install -d $(bin) $(libexec)
	$(Q)for p in $(PROGRAMS); do case $${p##*/} in testlab|testlabd) to=$(bin);; *) to=$(libexec);; esac; \
		install $$p $$to/ || exit 1; done
	$(Q)for f in $(data_files); do mode=644; [ ! -x $$f ] || mode=755; \
		install -D -m $$mode $$f $(share)/testlab/$$f || exit 1; done
	$(Q)for m in $(men); do install -D -m 644 $$m $(share)/man/man$${m##*.}/$${m##*/} || exit 1; done

uninstall: ## remove what `make install` put there
	$(Q)rm -f $(bin)/testlab $(bin)/testlabd
	$(Q)rm -rf $(libexec) $(share)/testlab
	$(Q)for m in $(men); do rm -f $(share)/man/man$${m##*.}/$${m##*/}; done

dist: ## testlab-VERSION.tar.xz of the last commit
	$(Q)git archive --prefix=testlab-$(VERSION)/ HEAD | xz > testlab-$(VERSION).tar.xz

compile-commands: ## compile_commands.json for editors
	$(Q){ echo '['; for s in $(all_sources); do \
		printf '%s{"directory":"%s","file":"%s","command":%s}\n' "$$comma" '$(CURDIR)' "$$s" \
			"$$(printf '%s' '$(CC) $(subst ','\'',$(LAB_CFLAGS)) -c '"$$s" | sed 's/[\\"]/\\&/g; s/.*/"&"/')"; \
		comma=,; done; echo ']'; } > compile_commands.json

clean: ## remove what was built
	$(Q)rm -rf build build-asan build-fuzz build-clang compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 24
	@echo 'Variables: CC CFLAGS LDFLAGS PREFIX DESTDIR DEVELOPER=1 (warnings are errors) SAN=asan V=1'

-include $(ALL_OBJECTS:.o=.d)

FORCE:
.PHONY: all deps check tests list-tests check-unit check-integration check-asan check-style check-headers fuzz-replay fuzz \
	fuzz-run lint format bench demo demo-stop install uninstall dist compile-commands clean help FORCE
