# Testlab. `make help` lists the targets. GNU make, non-recursive: each folder's
# module.mk lists its sources.

CC ?= gcc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
-include config.mk

VERSION := 0.1.0
MODULES := base packets db builders runners suites orchestrator web cli tests fuzz

# A build of its own for each sanitizer, so that switching costs nothing.
SAN ?=
BUILD := build$(if $(SAN),-$(SAN))

LAB_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. -I$(BUILD) -MMD -MP -fno-common -fvisibility=hidden -fPIE \
	-DLAB_VERSION='"$(VERSION)"' -DLAB_PREFIX='"$(PREFIX)"' \
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

-include $(MODULES:%=%/module.mk)

all: $(PROGRAMS) ## build the programs (build/testlab, build/testlabd, ...)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) $(LAB_CFLAGS) $(CPPFLAGS) -c -o $@ $<

# Everything is built again when compiler or flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LAB_CFLAGS) $(LDFLAGS) $(LAB_LDFLAGS))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LAB_CFLAGS) $(LDFLAGS) $(LAB_LDFLAGS))' > $@

check-unit: $(UNIT_TESTS) ## unit tests
	$(Q)for t in $(UNIT_TESTS); do $$t || exit 1; done

clean: ## remove what was built
	$(Q)rm -rf build build-asan

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 24
	@echo 'Variables: CC CFLAGS LDFLAGS PREFIX DESTDIR DEVELOPER=1 (warnings are errors) SAN=asan V=1'

-include $(ALL_OBJECTS:.o=.d)

FORCE:
.PHONY: all check-unit clean help FORCE
