/* testlab-runner bench: what the lab's own parts cost, for tools/bench. */
#pragma once

/*
 * `bench IMAGE INITRAMFS FOLDER`: measures with one NUT on the virtual clock and
 * prints {"event":"measure","name","values":[...],"unit"} lines. Exit status 0, 2
 * for wrong usage, 3 when something failed.
 */
int bench_main(int argc, char **argv);
