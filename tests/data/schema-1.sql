-- The schema of version 1, for the test that an older database is migrated.

CREATE TABLE source (
  source_id     INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  kind          TEXT NOT NULL,
  location      TEXT NOT NULL,
  config_json   TEXT NOT NULL,
  enabled       INTEGER NOT NULL DEFAULT 1,
  polled_us     INTEGER,
  next_poll_us  INTEGER,
  error         TEXT
);

CREATE TABLE release (
  release_id    INTEGER PRIMARY KEY,
  source_id     INTEGER REFERENCES source,
  name          TEXT NOT NULL,
  series        TEXT NOT NULL,
  type          TEXT NOT NULL CHECK (type IN ('mainline','rc','stable','next','branch','local')),
  identity      TEXT NOT NULL,
  sort_key      TEXT NOT NULL,
  released_us   INTEGER,
  found_us      INTEGER NOT NULL,
  prebuilt      INTEGER NOT NULL DEFAULT 0,
  detail_json   TEXT NOT NULL DEFAULT '{}',
  UNIQUE (source_id, identity)
);
CREATE INDEX release_by_series ON release (series, sort_key);

CREATE TABLE artifact (
  artifact_id   INTEGER PRIMARY KEY,
  sha256        TEXT NOT NULL UNIQUE,
  size_bytes    INTEGER NOT NULL,
  stored_bytes  INTEGER NOT NULL DEFAULT 0,
  complete      INTEGER NOT NULL DEFAULT 0,
  created_us    INTEGER NOT NULL
);
CREATE TABLE artifact_chunk (
  artifact_id   INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE,
  seq           INTEGER NOT NULL,
  data          BLOB NOT NULL,
  PRIMARY KEY (artifact_id, seq)
) WITHOUT ROWID;

CREATE TABLE kernel (
  kernel_id     INTEGER PRIMARY KEY,
  release_id    INTEGER NOT NULL REFERENCES release,
  config_name   TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('new','building','built','installed','failed')),
  compiler      TEXT,
  build_us      INTEGER,
  objects       INTEGER,
  first_error   TEXT,
  config_diff   TEXT,
  config_diff_kernel_id INTEGER REFERENCES kernel,
  created_us    INTEGER NOT NULL,
  built_us      INTEGER,
  known_good    INTEGER NOT NULL DEFAULT 0,
  uname         TEXT,
  UNIQUE (release_id, config_name)
);

CREATE TABLE file (
  file_id       INTEGER PRIMARY KEY,
  kernel_id     INTEGER REFERENCES kernel ON DELETE CASCADE,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  verdict_id    INTEGER REFERENCES verdict ON DELETE CASCADE,
  role          TEXT NOT NULL,
  name          TEXT NOT NULL,
  artifact_id   INTEGER NOT NULL REFERENCES artifact,
  CHECK ((kernel_id IS NOT NULL) + (run_id IS NOT NULL) + (verdict_id IS NOT NULL) = 1)
);
CREATE INDEX file_by_kernel ON file (kernel_id);
CREATE INDEX file_by_run ON file (run_id);
CREATE INDEX file_by_verdict ON file (verdict_id);
CREATE INDEX file_by_artifact ON file (artifact_id);

CREATE TABLE cycle (
  cycle_id      INTEGER PRIMARY KEY,
  kernel_id     INTEGER NOT NULL REFERENCES kernel,
  state         TEXT NOT NULL,
  reason        TEXT NOT NULL,
  priority      INTEGER NOT NULL DEFAULT 0,
  requested_by  TEXT,
  sets_json     TEXT NOT NULL,
  attempts      INTEGER NOT NULL DEFAULT 0,
  note          TEXT,
  created_us    INTEGER NOT NULL,
  changed_us    INTEGER NOT NULL,
  finished_us   INTEGER
);
CREATE INDEX cycle_by_state ON cycle (state);

CREATE TABLE cycle_move (
  cycle_move_id INTEGER PRIMARY KEY,
  cycle_id      INTEGER NOT NULL REFERENCES cycle ON DELETE CASCADE,
  from_state    TEXT NOT NULL,
  to_state      TEXT NOT NULL,
  at_us         INTEGER NOT NULL,
  note          TEXT
);

CREATE TABLE job (
  job_id        INTEGER PRIMARY KEY,
  cycle_id      INTEGER REFERENCES cycle ON DELETE CASCADE,
  source_id     INTEGER REFERENCES source,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  kind          TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('running','done','failed','interrupted','cancelled')),
  pid           INTEGER,
  started_us    INTEGER NOT NULL,
  deadline_us   INTEGER NOT NULL,
  finished_us   INTEGER,
  phase         TEXT,
  done          INTEGER,
  total         INTEGER,
  text          TEXT,
  log_tail      TEXT
);
CREATE INDEX job_by_state ON job (state);
CREATE INDEX job_by_cycle ON job (cycle_id);

CREATE TABLE run (
  run_id        INTEGER PRIMARY KEY,
  cycle_id      INTEGER REFERENCES cycle,
  kernel_id     INTEGER NOT NULL REFERENCES kernel,
  set_name      TEXT NOT NULL,
  role          TEXT NOT NULL,
  suite_version TEXT NOT NULL DEFAULT '',
  clock         TEXT NOT NULL DEFAULT 'real',
  accelerator   TEXT,
  environment   TEXT NOT NULL DEFAULT 'set',
  state         TEXT NOT NULL CHECK (state IN ('queued','running','done','failed','cancelled')),
  note          TEXT,
  planned       INTEGER NOT NULL DEFAULT 0,
  total         INTEGER NOT NULL DEFAULT 0,
  created_us    INTEGER NOT NULL,
  started_us    INTEGER,
  finished_us   INTEGER
);
CREATE INDEX run_by_kernel ON run (kernel_id, set_name);
CREATE INDEX run_by_set ON run (set_name, run_id);

CREATE TABLE verdict (
  verdict_id    INTEGER PRIMARY KEY,
  run_id        INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  test_id       TEXT NOT NULL,
  title         TEXT NOT NULL,
  position      INTEGER NOT NULL,
  attempt       INTEGER NOT NULL,
  final         INTEGER NOT NULL,
  verdict       TEXT NOT NULL,
  reason        TEXT,
  signature     TEXT,
  test_version  TEXT NOT NULL,
  clock         TEXT NOT NULL,
  started_us    INTEGER NOT NULL,
  wall_ns       INTEGER NOT NULL,
  clock_ns      INTEGER NOT NULL,
  restore_ns    INTEGER NOT NULL,
  teardown_ns   INTEGER NOT NULL,
  clauses_json  TEXT NOT NULL,
  steps_json    TEXT NOT NULL,
  UNIQUE (run_id, test_id, attempt)
);
CREATE INDEX verdict_by_test ON verdict (test_id, run_id);
CREATE INDEX verdict_by_signature ON verdict (signature) WHERE signature IS NOT NULL;

CREATE TABLE diff (
  diff_id       INTEGER PRIMARY KEY,
  old_run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  new_run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  why           TEXT NOT NULL,
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
  since_release_id INTEGER REFERENCES release,
  PRIMARY KEY (diff_id, test_id)
) WITHOUT ROWID;

CREATE TABLE decision (
  decision_id   INTEGER PRIMARY KEY,
  at_us         INTEGER NOT NULL,
  area          TEXT NOT NULL,
  text          TEXT NOT NULL,
  source_id     INTEGER REFERENCES source,
  kernel_id     INTEGER REFERENCES kernel ON DELETE CASCADE,
  run_id        INTEGER REFERENCES run ON DELETE CASCADE,
  diff_id       INTEGER REFERENCES diff ON DELETE CASCADE
);
CREATE INDEX decision_by_time ON decision (at_us);

CREATE TABLE lab (
  key           TEXT PRIMARY KEY,
  value         TEXT NOT NULL
) WITHOUT ROWID;
