base_sources := \
	base/alloc.c \
	base/assert.c \
	base/buf.c \
	base/err.c \
	base/fs.c \
	base/hash.c \
	base/http.c \
	base/json.c \
	base/log.c \
	base/proc.c \
	base/report.c \
	base/time.c \
	base/verdict.c \
	base/version.c \
	base/worker.c \
	base/zst.c
$(call archive,base,$(base_sources))
