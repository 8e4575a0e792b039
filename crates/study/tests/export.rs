//! Exports hold every point, whatever its value and whatever the names are.

use quire_core::{Direction, Point, RunSpec};
use quire_study::Store;
use quire_study::export::{write_csv, write_jsonl, write_tensorboard};
use quire_study::store::{Batch, MetricRecord, NewRun, NewStudy, ProblemRecord, StudyId};

fn store() -> (Store, StudyId) {
    let metric = |name: &str, direction| MetricRecord {
        name: name.into(),
        unit: String::new(),
        direction,
        summary: String::new(),
    };
    let study = NewStudy {
        name: "a \"quoted\", name".into(),
        spec: serde_json::Value::Null,
        command: String::new(),
        baseline: None,
        commit: None,
        problems: vec![ProblemRecord {
            name: "a/b".into(),
            summary: String::new(),
            metrics: vec![metric("return", Direction::Higher), metric("loss", Direction::Lower)],
            optimum: None,
            budget: 10,
            budget_unit: "steps".into(),
        }],
        runs: vec![NewRun { label: "m".into(), spec: RunSpec::new("a/b", "m", u64::MAX) }],
    };
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study).unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;
    let point = |step, metric, value| Point { step, metric, value };
    let points = [
        point(1, "loss", f64::NAN),
        point(1, "return", 0.1),
        point(2, "return", f64::INFINITY),
        point(1 << 40, "return", -1.5e-300),
    ];
    store.append(run, &Batch { points: &points, steps: 1 << 40, wall_s: 2.0, checkpoint: None }).unwrap();
    (store, id)
}

#[test]
fn csv_has_one_row_a_point() {
    let (store, id) = store();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/points.csv");
    write_csv(&store, id, &path).unwrap();
    let rows: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let head = "\"a \"\"quoted\"\", name\",1,m,a/b,18446744073709551615";
    assert_eq!(
        rows,
        [
            "study,run,method,problem,seed,metric,step,value".to_owned(),
            format!("{head},return,1,0.1"),
            format!("{head},return,2,inf"),
            format!("{head},return,1099511627776,-1.5e-300"),
            format!("{head},loss,1,NaN"),
        ]
    );
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    assert!(write_csv(&store, StudyId(9), &path).is_err());
}

#[test]
fn json_lines_are_json() {
    let (store, id) = store();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.jsonl");
    write_jsonl(&store, id, &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["seed"], u64::MAX);
    assert_eq!((lines[0]["value"].as_f64(), lines[1]["value"].as_str()), (Some(0.1), Some("inf")));
    assert!(lines[3]["value"].is_null());
    assert_eq!(lines[2]["step"], 1u64 << 40);
}

#[test]
fn tensorboard_gets_a_folder_a_run() {
    let (store, id) = store();
    let folder = tempfile::tempdir().unwrap();
    write_tensorboard(&store, id, folder.path()).unwrap();
    let run = folder.path().join("a_b/m").join(format!("seed-{}", u64::MAX));
    let files: Vec<_> = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
    // Walk the frames: a version and four events, their lengths adding up to the file.
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut at, mut records) = (0, 0);
    while at < bytes.len() {
        at += 16 + u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        records += 1;
    }
    assert_eq!((at, records), (bytes.len(), 5));
}
