/* Commands of testlab-runner that have to do with tests. */
#pragma once

/* A run: reports on REPORT_FD. Returns the exit status: 0 done, 1 failed, 2 a bad job file. */
int run_main(const char *job_path);
/* `sets`: the catalogue on stdout, one JSON object a line. */
int sets_main(int argc, char **argv);
/* `clauses`: what the RFCs require and which tests check it, likewise. */
int clauses_main(int argc, char **argv);
