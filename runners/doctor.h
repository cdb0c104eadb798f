/*
 * `testlab-runner doctor`: checks every part that a run needs by using it, and
 * prints one line of JSON a check on stdout (docs/design/001-shape.md).
 */
#pragma once

/*
 * Options: --kernel IMAGE --initramfs FILE, the kernel to boot; both are kept for the
 * next time when they worked. Returns the exit status: 0, 2 for wrong usage, 3 when
 * something does not work.
 */
int doctor_main(int argc, char **argv);
