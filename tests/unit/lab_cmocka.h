/* cmocka with the headers it wants before it, and what all our unit tests share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A new empty folder under TMPDIR; the test removes it with fs_remove_tree and frees the path. */
char *test_folder(void);
