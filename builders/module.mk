builders_sources := \
	builders/archive_read.c \
	builders/archive_write.c \
	builders/job.c

$(call archive,builders,$(builders_sources))
