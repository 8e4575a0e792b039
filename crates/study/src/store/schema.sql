-- The schema of a Quire store. Times are UTC, as 2026-01-31T12:00:00Z; durations are seconds.

CREATE TABLE study (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    created       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    status        TEXT NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    spec_json     TEXT NOT NULL,  -- what was asked for, as the program that asked wrote it
    command       TEXT NOT NULL,  -- how to get the same study again
    baseline      TEXT,           -- the label that the others are compared with
    quire_version TEXT NOT NULL,
    quire_commit  TEXT
) STRICT;

CREATE TABLE problem (
    study_id    INTEGER NOT NULL REFERENCES study (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,  -- order within the study, from 0
    name        TEXT NOT NULL,
    summary     TEXT NOT NULL,
    optimum     REAL,              -- best possible value of the first metric, where it is known
    budget      INTEGER NOT NULL,  -- length of a run, in budget_unit
    budget_unit TEXT NOT NULL,
    PRIMARY KEY (study_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric (
    id        INTEGER PRIMARY KEY,
    study_id  INTEGER NOT NULL REFERENCES study (id) ON DELETE CASCADE,
    problem   TEXT NOT NULL,
    position  INTEGER NOT NULL,    -- 0 is the metric that methods are compared by
    name      TEXT NOT NULL,
    unit      TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('higher', 'lower', 'neutral')),  -- which way is better
    summary   TEXT NOT NULL,
    UNIQUE (study_id, problem, name)
) STRICT;

CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    study_id      INTEGER NOT NULL REFERENCES study (id) ON DELETE CASCADE,
    problem       TEXT NOT NULL,
    method        TEXT NOT NULL,
    label         TEXT NOT NULL,     -- tells apart two option sets of one method; else the method's name
    options_json  TEXT NOT NULL,
    seed          INTEGER NOT NULL,  -- the 64 bits of an unsigned seed: those from 2^63 on read as negative here
    budget        INTEGER,           -- NULL: the problem's own
    status        TEXT NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'running', 'done', 'failed')),
    reason        TEXT,              -- why it ended
    steps         INTEGER NOT NULL DEFAULT 0,
    wall_s        REAL NOT NULL DEFAULT 0,
    started       TEXT,
    updated       TEXT,              -- when it last stored something
    finished      TEXT,
    artefact_path TEXT,
    machine       TEXT,
    UNIQUE (study_id, problem, label, seed)
) STRICT;

CREATE INDEX run_status ON run (study_id, status);

CREATE TABLE point (
    run_id    INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    metric_id INTEGER NOT NULL REFERENCES metric (id) ON DELETE CASCADE,
    step      INTEGER NOT NULL,
    value     REAL,                  -- NULL: not a number
    PRIMARY KEY (run_id, metric_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    run_id INTEGER PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,         -- counts the run's checkpoints
    steps  INTEGER NOT NULL,
    crc32c INTEGER NOT NULL,
    state  BLOB,                     -- the saved run, or NULL if it lies in a file
    file   TEXT,                     -- its name in the folder <store>.checkpoints
    CHECK ((state IS NULL) <> (file IS NULL))
) STRICT;

-- For queries by hand:  SELECT label, seed, value FROM final WHERE study = 1 AND metric = 'return';
CREATE VIEW curve AS
SELECT r.study_id AS study, s.name AS study_name, r.problem, r.method, r.label, r.seed, m.name AS metric, m.unit,
       p.step, p.value, r.id AS run
FROM point p
JOIN run r ON r.id = p.run_id
JOIN study s ON s.id = r.study_id
JOIN metric m ON m.id = p.metric_id;

CREATE VIEW final AS
SELECT r.study_id AS study, s.name AS study_name, r.problem, r.method, r.label, r.seed, m.name AS metric, m.unit,
       m.direction, p.step, p.value, r.status, r.reason, r.wall_s, r.id AS run
FROM run r
JOIN study s ON s.id = r.study_id
JOIN metric m ON m.study_id = r.study_id AND m.problem = r.problem
JOIN point p ON p.run_id = r.id AND p.metric_id = m.id
WHERE p.step = (SELECT max(step) FROM point WHERE run_id = r.id AND metric_id = m.id);
