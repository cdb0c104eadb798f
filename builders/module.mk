builders_sources := \
	builders/apt.c \
	builders/archive_read.c \
	builders/archive_write.c \
	builders/job.c \
	builders/source_debian.c \
	builders/source_git.c \
	builders/sources.c \
	builders/watch.c

$(call archive,builders,$(builders_sources))
