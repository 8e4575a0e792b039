use std::path::Path;

use super::*;
use crate::claims::verdict::{Measured, ReadingValue, RunLength, Statistic, Values, Verdict};
use crate::store::StudyId;

fn paper() -> Paper {
    let claim = |id: &str| {
        format!(
            "[[claims]]\nid = '{id}'\ntext = 'T.'\nsource = ''\nscaled_down = ''\nexpectations = ['m(a) < 1']\n\
             study = {{ problems = ['p'], methods = [{{ method = 'a' }}] }}\n"
        )
    };
    let head = "title = 'On a'\narxiv = '1'\nwing = 'rl'\nmethods = []\nprotocol = ''\n";
    Paper::parse(Path::new("on-a.toml"), &format!("{head}{}{}", claim("first"), claim("second"))).unwrap()
}

/// A verdict with numbers that are hard to print and to read: none, and one with all its bits.
fn verdict(id: &str, quick: bool, seeds: usize) -> ClaimVerdict {
    let reading = ReadingValue { reading: "m(a)".into(), value: 0.1 + 0.2, runs: vec![1.0 / 3.0, 1e-300] };
    ClaimVerdict {
        id: id.into(),
        text: "T.".into(),
        source: "Table 1".into(),
        scaled_down: String::new(),
        verdict: Verdict::NotShown,
        quick,
        expectations: vec![Measured {
            expression: "m(a) < 1".into(),
            problem: "p".into(),
            verdict: Verdict::NotShown,
            values: Values {
                left: 0.1 + 0.2,
                right: 1.0,
                difference: -0.7,
                interval: [f64::NAN; 2],
                statistic: Statistic::Mean,
                seeds: 2,
                readings: vec![reading],
            },
            note: Some("few".into()),
        }],
        seeds,
        runs: 2,
        lengths: vec![RunLength { problem: "p".into(), budget: 10, unit: "steps".into() }],
        wall_s: 0.125,
        measured: Some("2026-01-31T12:00:00Z".into()),
        machines: vec!["here".into()],
        command: "quire reproduce on-a".into(),
        quire_version: "0".into(),
        commit: None,
        study: StudyId(3),
        report: Some("studies/3-x/report.html".into()),
    }
}

#[test]
fn what_is_kept_is_read_again_to_the_last_bit() {
    let out = tempfile::tempdir().unwrap();
    let archive = Archive::new(out.path());
    assert_eq!(archive.read("on-a").unwrap(), []);
    assert!(!archive.folder().exists(), "looking makes nothing");
    let report = out.path().join("studies/3-x/report.html");
    fs::create_dir_all(report.parent().unwrap()).unwrap();
    fs::write(&report, "").unwrap();
    archive.keep(&paper(), &verdict("second", false, 5)).unwrap();
    let [read] = &archive.read("on-a").unwrap()[..] else { panic!("one verdict") };
    // NaN is not equal to itself; as text it is.
    let text = |verdict: &ClaimVerdict| format!("{verdict:?}");
    assert_eq!(text(read), text(&verdict("second", false, 5)));
    assert_eq!(read.expectations[0].values.left.to_bits(), (0.1 + 0.2_f64).to_bits());
    fs::remove_file(&report).unwrap();
    assert_eq!(archive.read("on-a").unwrap()[0].report, None, "a page that is gone is not linked");
}

#[test]
fn a_claim_measured_again_replaces_its_own_entry_only() {
    let out = tempfile::tempdir().unwrap();
    let archive = Archive::new(out.path());
    let keep = |verdict: &ClaimVerdict| archive.keep(&paper(), verdict).unwrap();
    let ids_and_seeds = || -> Vec<(String, usize)> {
        archive.read("on-a").unwrap().into_iter().map(|verdict| (verdict.id, verdict.seeds)).collect()
    };
    keep(&verdict("second", false, 5));
    keep(&verdict("first", false, 6));
    assert_eq!(keep(&verdict("second", false, 7)), Kept::Entered);
    // In the order of the paper, whatever was measured first.
    assert_eq!(ids_and_seeds(), [("first".to_owned(), 6), ("second".to_owned(), 7)]);
}

#[test]
fn quick_replaces_quick_and_never_a_whole_one() {
    let out = tempfile::tempdir().unwrap();
    let archive = Archive::new(out.path());
    let keep = |verdict: &ClaimVerdict| archive.keep(&paper(), verdict).unwrap();
    let seeds = || archive.read("on-a").unwrap()[0].seeds;
    assert_eq!((keep(&verdict("first", true, 2)), seeds()), (Kept::Entered, 2));
    assert_eq!((keep(&verdict("first", true, 3)), seeds()), (Kept::Entered, 3));
    assert_eq!((keep(&verdict("first", false, 5)), seeds()), (Kept::Entered, 5));
    let Kept::FullLengthStays(stays) = keep(&verdict("first", true, 4)) else { panic!("replaced") };
    assert_eq!((stays.seeds, seeds()), (5, 5));
    // A verdict on what the claim said once is in nobody's way.
    let mut outdated = verdict("first", false, 6);
    outdated.expectations[0].expression = "m(a) < 2".into();
    keep(&outdated);
    assert_eq!((keep(&verdict("first", true, 4)), seeds()), (Kept::Entered, 4));
}

#[test]
fn a_damaged_file_is_named_and_left_alone() {
    let out = tempfile::tempdir().unwrap();
    let archive = Archive::new(out.path());
    archive.keep(&paper(), &verdict("first", false, 5)).unwrap();
    let path = archive.file("on-a");
    let half = fs::read(&path).unwrap()[..200].to_vec();
    fs::write(&path, &half).unwrap();
    for error in
        [archive.read("on-a").unwrap_err(), archive.keep(&paper(), &verdict("first", false, 5)).unwrap_err()]
    {
        let message = error.to_string();
        assert!(message.contains("on-a.json") && message.contains("move it away"), "{message}");
    }
    assert_eq!(fs::read(&path).unwrap(), half);
}
