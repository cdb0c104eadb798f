runners_sources := \
	runners/clock_real.c \
	runners/link.c \
	runners/loop.c
$(call archive,runners,$(runners_sources))

$(call unit_test,test_loop,tests/unit/test_loop.c,runners base,libuv)
$(call unit_test,test_link,tests/unit/test_link.c,runners base,libuv)
