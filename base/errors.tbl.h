/*
 * Our own error codes: X(name, value, text). A code exists only if some caller
 * branches on it. No include guard: the file is included with different X.
 */
X(EFAIL, -1000, "failed")
X(EINVALID, -1001, "invalid input")
X(ENOTFOUND, -1002, "not found")
X(EEXISTS, -1003, "exists already")
X(ETIMEOUT, -1004, "deadline passed")
X(EBUSY, -1005, "in use")
X(EPARSE, -1006, "cannot be parsed")
X(ELIMIT, -1007, "larger than the limit")
X(ECHILD, -1008, "child process failed")
X(EVIRT, -1009, "virtual machine trouble")
X(EDB, -1010, "database trouble")
X(ENET, -1011, "network trouble")
X(ECANCELLED, -1012, "cancelled")
X(EAUTH, -1013, "not authorised")
