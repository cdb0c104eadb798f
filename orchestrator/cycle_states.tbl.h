/*
 * The life of a cycle: STATE(name, is it the end) and MOVE(from, to, verb). The
 * names are what cycle.state holds. No include guard: included with different
 * macros; what is not defined counts for nothing. The picture is in cycle.c.
 */
#ifndef STATE
#define STATE(name, is_end)
#endif
#ifndef MOVE
#define MOVE(from, to, verb)
#endif

STATE(wait, false)    /* for its turn */
STATE(build, false)   /* compiled, or fetched when it is prebuilt */
STATE(install, false) /* made into a NUT image */
STATE(test, false)    /* its runs, one set after the other */
STATE(compare, false) /* with its key releases */
STATE(prove, false)   /* the known-good kernel shows the lab itself healthy */
STATE(done, true)
STATE(failed, true)
STATE(cancelled, true)

MOVE(wait, build, begin_build)
MOVE(wait, install, skip_build) /* built by an earlier cycle */
MOVE(wait, test, skip_install)  /* installed by an earlier cycle */
MOVE(build, install, begin_install)
MOVE(install, test, begin_test)
MOVE(test, compare, begin_compare)
MOVE(compare, prove, begin_prove)
MOVE(prove, done, finish)
MOVE(wait, failed, fail)
MOVE(build, failed, fail)
MOVE(install, failed, fail)
MOVE(test, failed, fail)
MOVE(compare, failed, fail)
MOVE(prove, failed, fail)
MOVE(wait, cancelled, cancel)
MOVE(build, cancelled, cancel)
MOVE(install, cancelled, cancel)
MOVE(test, cancelled, cancel)
MOVE(compare, cancelled, cancel)
MOVE(prove, cancelled, cancel)

#undef STATE
#undef MOVE
