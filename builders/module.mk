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

builders_packages := libgit2 libarchive jansson libcrypto
$(call unit_test,test_apt,tests/unit/test_apt.c,builders base,$(builders_packages))
$(call unit_test,test_archive,tests/unit/test_archive.c tests/unit/lab_cmocka.c,builders base,$(builders_packages))
$(call unit_test,test_build_log,tests/unit/test_build_log.c,builders base,$(builders_packages))
$(call unit_test,test_kconfig,tests/unit/test_kconfig.c,builders base,$(builders_packages))
$(call unit_test,test_modules,tests/unit/test_modules.c tests/unit/lab_cmocka.c,builders base,$(builders_packages))
$(call fuzzer,fuzz_apt,builders base,$(builders_packages))
$(call fuzzer,fuzz_build_log,builders base,$(builders_packages))
