use std::path::Path;

use super::*;
use crate::claims::evaluate;
use crate::store::{Batch, Outcome, RunStatus, Store};

fn paper(expectation: &str, arxiv: &str) -> Paper {
    let text = format!(
        "title = 'T'\narxiv = '{arxiv}'\nwing = 'rl'\nmethods = []\nprotocol = ''\n[[claims]]\nid = 'c'\ntext = 'C.'\n\
         source = ''\nscaled_down = ''\nexpectations = ['{expectation}']\n\
         study = {{ problems = ['CartPole-v1'], seeds = 4, steps = 100, methods = [{{ method = 'dqn' }}], \
         quick = {{ seeds = 2 }} }}\n"
    );
    Paper::parse(Path::new("t.toml"), &text).unwrap()
}

/// The verdict of a study of `paper` whose returns are the seeds.
fn measured(paper: &Paper, quick: bool) -> ClaimVerdict {
    let mut store = Store::in_memory().unwrap();
    let plan =
        paper.claims[0].plan(&crate::registry(), quick, None, "quire x".into(), Some("abc".into())).unwrap();
    let study = store.add_study(&plan).unwrap();
    while let Some(run) = store.claim(study, "a machine").unwrap() {
        let points = [quire_core::Point { step: 100, metric: "return", value: run.spec.seed as f64 }];
        let batch = Batch { points: &points, steps: 100, wall_s: 0.5, checkpoint: None };
        let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
        store.finish(run.id, &batch, &outcome).unwrap();
    }
    evaluate(&paper.claims[0], &store, study).unwrap()
}

#[test]
fn a_verdict_says_how_it_was_come_by() {
    let paper = paper("return(dqn) < 9", "1");
    let verdict = measured(&paper, false);
    assert_eq!((verdict.verdict, verdict.quick, verdict.seeds, verdict.runs), (Verdict::Holds, false, 4, 4));
    assert_eq!(verdict.lengths[0].budget, 100);
    assert_eq!((verdict.commit.as_deref(), verdict.command.as_str()), (Some("abc"), "quire x"));
    assert_eq!(verdict.machines, ["a machine"]);
    assert!(verdict.measured.unwrap().ends_with('Z'));
    assert!(measured(&paper, true).quick);
}

#[test]
fn a_claim_stands_where_its_measurement_says() {
    let paper = paper("return(dqn) < 9", "1");
    let standing = |kept: Vec<ClaimVerdict>| PaperStanding::new(&paper, kept).claims.remove(0);
    let never = standing(Vec::new());
    assert_eq!((never.verdict, never.quick, never.outdated), (Standing::NotMeasured, false, false));
    let verdict = measured(&paper, true);
    let quick = standing(vec![ClaimVerdict { id: "gone".into(), ..verdict.clone() }, verdict.clone()]);
    assert_eq!((quick.verdict, quick.quick), (Standing::Measured(Verdict::Holds), true));
    let mut other = verdict;
    other.expectations[0].expression = "return(dqn) < 99".into();
    let outdated = standing(vec![other]);
    assert_eq!((outdated.verdict, outdated.outdated), (Standing::NotMeasured, true));
    assert!(outdated.measurement.is_none() && !outdated.quick);
    let json = serde_json::to_value(&outdated).unwrap();
    assert_eq!(
        (&json["verdict"], &json["expectations"][0]),
        (&"not measured".into(), &"return(dqn) < 9".into())
    );
}

#[test]
fn a_study_falls_short_if_it_has_fewer_seeds_or_shorter_runs() {
    let claim = paper("return(dqn) < 9", "1").claims.remove(0);
    assert!(!claim.is_shortened(4, Some(100)) && !claim.is_shortened(9, Some(101)));
    assert!(claim.is_shortened(3, Some(100)) && claim.is_shortened(4, Some(99)));
    // Without a length the runs are as long as the problem says.
    assert!(!claim.is_shortened(4, None));
}

#[test]
fn a_locator_becomes_a_link_where_it_is_one() {
    let link = |locator: &str| {
        let paper = paper("return(dqn) < 9", locator);
        let standing = PaperStanding::new(&paper, Vec::new());
        (standing.link().unwrap_or_default(), standing.locator())
    };
    let pair = |link: &str, locator: &str| (link.to_owned(), locator.to_owned());
    assert_eq!(link("1509.06461"), pair("https://arxiv.org/abs/1509.06461", "arXiv:1509.06461"));
    assert_eq!(link("1509.06461v3").0, "https://arxiv.org/abs/1509.06461v3");
    assert_eq!(link("quant-ph/9605043").0, "https://arxiv.org/abs/quant-ph/9605043");
    assert_eq!(link("math.PR/0506083").0, "https://arxiv.org/abs/math.PR/0506083");
    assert_eq!(link("10.1137/0914028"), pair("https://doi.org/10.1137/0914028", "10.1137/0914028"));
    assert_eq!(link("https://example.org/p.pdf").1, "https://example.org/p.pdf");
    assert_eq!(link("NeurIPS 2013, pages 1-9"), pair("", "NeurIPS 2013, pages 1-9"));
}
