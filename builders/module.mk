builders_sources := \
	builders/apt.c \
	builders/archive_read.c \
	builders/archive_write.c \
	builders/build.c \
	builders/build_log.c \
	builders/image.c \
	builders/job.c \
	builders/kconfig.c \
	builders/kernel_build.c \
	builders/modules.c \
	builders/prebuilt.c \
	builders/root.c \
	builders/sandbox.c \
	builders/source_debian.c \
	builders/source_git.c \
	builders/sources.c \
	builders/watch.c

$(call archive,builders,$(builders_sources))
$(call program,testlab-builder,builders/main.c,builders base,libgit2 libarchive jansson libcrypto)
