base_sources := $(wildcard base/*.c)
$(call archive,base,$(base_sources))
