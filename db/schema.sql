-- The lab's one database. SQLite, WAL, foreign keys on. Only the orchestrator
-- writes; the web side reads on connections of its own. Times *_us are
-- microseconds since 1970 (UTC); *_ns inside a verdict are in the run's clock.
-- A change of this file is a new migration in db/migrate.c.

-- Where releases come from; one row per source of the configuration file.
CREATE TABLE source (
  source_id     INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,          -- as in the configuration
  kind          TEXT NOT NULL,                 -- 'git' or 'debian' (builders/sources.c)
  location      TEXT NOT NULL,                 -- URL, path or package name
  config_json   TEXT NOT NULL,                 -- the whole section, as given
  enabled       INTEGER NOT NULL DEFAULT 1,    -- 0: gone from the configuration
  polled_us     INTEGER,                       -- last poll that ended, NULL before the first
  next_poll_us  INTEGER,                       -- when to look again
  error         TEXT                           -- why the last poll failed, NULL if it did not
);

-- Something upstream published. Identity is the commit or the archive's hash; the name is a label.
CREATE TABLE release (
  release_id    INTEGER PRIMARY KEY,
  source_id     INTEGER REFERENCES source,     -- NULL for 'local' and the known-good kernel
  name          TEXT NOT NULL,                 -- 'v6.12.3', '6.12.117-1~deb12u1', ...
  series        TEXT NOT NULL,                 -- 'mainline', 'stable 6.12', 'debian 6.12', 'local', ...
  type          TEXT NOT NULL CHECK (type IN ('mainline','rc','stable','next','branch','local')),
  identity      TEXT NOT NULL,                 -- commit id, archive SHA-256 or package version
  sort_key      TEXT NOT NULL,                 -- orders releases of a series, bytewise (base/version.h)
  released_us   INTEGER,                       -- when upstream says it was made
  found_us      INTEGER NOT NULL,
  prebuilt      INTEGER NOT NULL DEFAULT 0,    -- 1: comes as an image, nothing to build
  detail_json   TEXT NOT NULL DEFAULT '{}',    -- what the source needs to fetch it again
  UNIQUE (source_id, identity)
);
CREATE INDEX release_by_series ON release (series, sort_key);

-- Content-addressed bytes. `complete` turns 1 when every chunk is in; rows with 0 are swept at start.
CREATE TABLE artifact (
  artifact_id   INTEGER PRIMARY KEY,
  sha256        TEXT NOT NULL UNIQUE,          -- of the plain bytes
  size_bytes    INTEGER NOT NULL,              -- plain
  stored_bytes  INTEGER NOT NULL DEFAULT 0,    -- compressed
  complete      INTEGER NOT NULL DEFAULT 0,
  created_us    INTEGER NOT NULL
);
CREATE TABLE artifact_chunk (
  artifact_id   INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE,
  seq           INTEGER NOT NULL,              -- 0.. ; each chunk is 1 MiB of plain bytes, the last one less
  data          BLOB NOT NULL,                 -- one zstd frame
  PRIMARY KEY (artifact_id, seq)
) WITHOUT ROWID;

-- One build of one release with one configuration.
CREATE TABLE kernel (
  kernel_id     INTEGER PRIMARY KEY,
  release_id    INTEGER NOT NULL REFERENCES release,
  config_name   TEXT NOT NULL,                 -- name of the fragment set, or 'prebuilt'
  state         TEXT NOT NULL CHECK (state IN ('new','building','built','installed','failed')),
  compiler      TEXT,                          -- first line of `cc --version`
  build_us      INTEGER,                       -- how long the build took
  objects       INTEGER,                       -- objects compiled
  first_error   TEXT,                          -- first error of the log, when state is 'failed'
  config_diff   TEXT,                          -- lines '+CONFIG_X=y' / '-CONFIG_Y=m' against config_diff_kernel_id
  config_diff_kernel_id INTEGER REFERENCES kernel,
  created_us    INTEGER NOT NULL,
  built_us      INTEGER,                       -- when the build ended
  known_good    INTEGER NOT NULL DEFAULT 0,    -- 1: proves the lab itself healthy
  uname         TEXT,                          -- `uname -r` as the NUT said
  UNIQUE (release_id, config_name)
);

-- What belongs to what: a kernel's, run's, verdict's or job's files.
CREATE TABLE file (
  file_id       INTEGER PRIMARY KEY,
  kernel_id     INTEGER REFERENCES kernel ON DELETE CASCADE,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  verdict_id    INTEGER REFERENCES verdict ON DELETE CASCADE,
  role          TEXT NOT NULL,                 -- 'image','modules','config','build-log','initramfs','console','capture','run-log'
  name          TEXT NOT NULL,                 -- file name for downloads
  artifact_id   INTEGER NOT NULL REFERENCES artifact,
  CHECK ((kernel_id IS NOT NULL) + (run_id IS NOT NULL) + (verdict_id IS NOT NULL) = 1)
);
CREATE INDEX file_by_kernel ON file (kernel_id);
CREATE INDEX file_by_run ON file (run_id);
CREATE INDEX file_by_verdict ON file (verdict_id);
CREATE INDEX file_by_artifact ON file (artifact_id);

-- One way of a kernel through the lab: the state machine of orchestrator/cycle.c.
CREATE TABLE cycle (
  cycle_id      INTEGER PRIMARY KEY,
  kernel_id     INTEGER NOT NULL REFERENCES kernel,
  state         TEXT NOT NULL,                 -- names of orchestrator/cycle_states.tbl.h
  reason        TEXT NOT NULL,                 -- 'new release', 'trigger', 'known-good', ...
  priority      INTEGER NOT NULL DEFAULT 0,    -- higher first, then oldest
  requested_by  TEXT,                          -- who triggered it, NULL for the lab itself
  sets_json     TEXT NOT NULL,                 -- names of the test sets to run
  attempts      INTEGER NOT NULL DEFAULT 0,    -- jobs lost in the present state
  note          TEXT,                          -- why it stands where it stands
  created_us    INTEGER NOT NULL,
  changed_us    INTEGER NOT NULL,
  finished_us   INTEGER,
  not_before_us INTEGER NOT NULL DEFAULT 0     -- pause before the next attempt
);
CREATE INDEX cycle_by_state ON cycle (state);

-- Every move of a cycle, kept.
CREATE TABLE cycle_move (
  cycle_move_id INTEGER PRIMARY KEY,
  cycle_id      INTEGER NOT NULL REFERENCES cycle ON DELETE CASCADE,
  from_state    TEXT NOT NULL,
  to_state      TEXT NOT NULL,
  at_us         INTEGER NOT NULL,
  note          TEXT
);

-- A child process doing work for a cycle or a source. A row in state 'running' at start-up was interrupted.
CREATE TABLE job (
  job_id        INTEGER PRIMARY KEY,
  cycle_id      INTEGER REFERENCES cycle ON DELETE CASCADE,
  source_id     INTEGER REFERENCES source,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  kind          TEXT NOT NULL,                 -- 'watch','prebuilt','build','image','run'
  state         TEXT NOT NULL CHECK (state IN ('running','done','failed','interrupted','cancelled')),
  pid           INTEGER,
  started_us    INTEGER NOT NULL,
  deadline_us   INTEGER NOT NULL,
  finished_us   INTEGER,
  phase         TEXT,                          -- of the last progress report
  done          INTEGER,                       -- of `total`, e.g. objects or tests
  total         INTEGER,
  text          TEXT,                          -- last progress text, or why it failed
  log_tail      TEXT,                          -- last lines of the child's log when it did not end well
  process_key   TEXT                           -- boot id and start time: tells `pid` from a later process of that number
);
CREATE INDEX job_by_state ON job (state);
CREATE INDEX job_by_cycle ON job (cycle_id);

-- One kernel x one test set.
CREATE TABLE run (
  run_id        INTEGER PRIMARY KEY,
  cycle_id      INTEGER REFERENCES cycle,
  kernel_id     INTEGER NOT NULL REFERENCES kernel,
  set_name      TEXT NOT NULL,
  role          TEXT NOT NULL,
  suite_version TEXT NOT NULL DEFAULT '',      -- hash over the scripts of the set
  clock         TEXT NOT NULL DEFAULT 'real',  -- 'real' or 'virtual'
  accelerator   TEXT,                          -- 'kvm' or 'tcg'
  environment   TEXT NOT NULL DEFAULT 'set',   -- settings of the NUT: 'set' (the set's own) or 'defaults'
  settings_json TEXT NOT NULL DEFAULT '[]',    -- what that came to: ["net.ipv6.conf...=1", ...]
  state         TEXT NOT NULL CHECK (state IN ('queued','running','done','failed','cancelled')),
  note          TEXT,                          -- why it failed, or what is odd about it
  planned       INTEGER NOT NULL DEFAULT 0,    -- tests of the set's list
  total         INTEGER NOT NULL DEFAULT 0,    -- tests that exist and were asked for
  created_us    INTEGER NOT NULL,
  started_us    INTEGER,
  finished_us   INTEGER
);
CREATE INDEX run_by_kernel ON run (kernel_id, set_name);
CREATE INDEX run_by_set ON run (set_name, run_id);

-- The outcome of one attempt of one test. The last attempt counts (`final` = 1).
CREATE TABLE verdict (
  verdict_id    INTEGER PRIMARY KEY,
  run_id        INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  test_id       TEXT NOT NULL,
  title         TEXT NOT NULL,
  position      INTEGER NOT NULL,              -- place in the set's list
  attempt       INTEGER NOT NULL,              -- 1..
  final         INTEGER NOT NULL,              -- 1: this attempt counts
  verdict       TEXT NOT NULL,                 -- base/verdicts.tbl.h
  reason        TEXT,                          -- one sentence; NULL for PASS without remarks
  signature     TEXT,                          -- test, step, kind of mismatch, field; NULL for PASS
  test_version  TEXT NOT NULL,                 -- hash of the script that holds the test and of its library
  clock         TEXT NOT NULL,
  started_us    INTEGER NOT NULL,
  wall_ns       INTEGER NOT NULL,              -- restore + test + teardown, host time
  clock_ns      INTEGER NOT NULL,              -- what passed in the run's clock during the test
  restore_ns    INTEGER NOT NULL,
  teardown_ns   INTEGER NOT NULL,
  clauses_json  TEXT NOT NULL,                 -- ["RFC 8200 3 MUST", ...]
  steps_json    TEXT NOT NULL,                 -- step records, docs/design/001-shape.md
  UNIQUE (run_id, test_id, attempt)
);
CREATE INDEX verdict_by_test ON verdict (test_id, run_id);
-- The front table counts verdicts of many runs: 200 ms without this, 20 ms with it (200 kernels x 8 sets x 426 tests).
CREATE INDEX verdict_by_run_final ON verdict (run_id, verdict) WHERE final;
CREATE INDEX verdict_by_signature ON verdict (signature) WHERE signature IS NOT NULL;

-- Tests of a run on the virtual clock that were chosen to be repeated on the real one. The real
-- attempt is a verdict too, with final = 0; when the clocks disagree, a verdict ERROR is made final.
CREATE TABLE clock_sample (
  clock_sample_id INTEGER PRIMARY KEY,
  run_id        INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  test_id       TEXT NOT NULL,
  virtual_verdict TEXT NOT NULL,               -- what the run said
  real_verdict  TEXT,                          -- NULL until it was repeated
  UNIQUE (run_id, test_id)
);
CREATE INDEX clock_sample_by_test ON clock_sample (test_id);

-- Two runs of the same set compared test by test.
CREATE TABLE diff (
  diff_id       INTEGER PRIMARY KEY,
  old_run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  new_run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  why           TEXT NOT NULL,                 -- 'the stable before in its series', ...
  created_us    INTEGER NOT NULL,
  regressed     INTEGER NOT NULL,
  fixed         INTEGER NOT NULL,
  new           INTEGER NOT NULL,
  gone          INTEGER NOT NULL,
  changed       INTEGER NOT NULL,
  still_failing INTEGER NOT NULL,
  unchanged     INTEGER NOT NULL,
  UNIQUE (old_run_id, new_run_id)
);
CREATE TABLE diff_entry (
  diff_id       INTEGER NOT NULL REFERENCES diff ON DELETE CASCADE,
  test_id       TEXT NOT NULL,
  change        TEXT NOT NULL CHECK (change IN ('regressed','fixed','new','gone','changed','still-failing','test-changed')),
  old_verdict_id INTEGER REFERENCES verdict,
  new_verdict_id INTEGER REFERENCES verdict,
  since_release_id INTEGER REFERENCES release, -- still failing since
  PRIMARY KEY (diff_id, test_id)
) WITHOUT ROWID;

-- Why was this built, why was this compared with that: for people.
CREATE TABLE decision (
  decision_id   INTEGER PRIMARY KEY,
  at_us         INTEGER NOT NULL,
  area          TEXT NOT NULL,                 -- 'source','build','test','compare','health','lab'
  text          TEXT NOT NULL,
  source_id     INTEGER REFERENCES source,
  kernel_id     INTEGER REFERENCES kernel ON DELETE CASCADE,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  diff_id       INTEGER REFERENCES diff ON DELETE CASCADE
);
CREATE INDEX decision_by_time ON decision (at_us);

-- The lab's own state: one row per key ('health', 'health_note', 'health_us', 'started_us', ...).
CREATE TABLE lab (
  key           TEXT PRIMARY KEY,
  value         TEXT NOT NULL
) WITHOUT ROWID;
