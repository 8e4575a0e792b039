//! Every paper file is sound: it parses, its studies can be planned, its expectations read metrics that exist, its
//! methods are those that say they come from it.

use std::collections::BTreeSet;

use quire_core::Error;
use quire_study::{claims, registry};

#[test]
fn every_claim_can_be_measured() {
    let registry = registry();
    for paper in claims::papers().unwrap() {
        let mut studies = BTreeSet::new();
        for claim in &paper.claims {
            let place = format!("{}, claim {}", paper.slug, claim.id);
            for quick in [false, true] {
                let study = claim
                    .plan(&registry, quick, None, String::new(), None)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(study.name, format!("{}-{}", paper.slug, claim.id));
                assert!(claim.study_spec(quick, None).seeds.len() >= 2, "{place}: one seed shows nothing");
            }
            let quick = claim.study_spec(true, None);
            let work = |study: &quire_study::StudySpec| study.seeds.len() as u64 * study.steps.unwrap_or(1);
            assert!(work(&quick) <= work(&claim.study), "{place}: quick is longer than full");
            assert!(!claim.source.is_empty() && !claim.scaled_down.is_empty(), "{place}");
            studies.insert(quick.name);
        }
        assert_eq!(studies.len(), paper.claims.len());
    }
}

#[test]
fn papers_and_methods_agree() {
    let registry = registry();
    let papers = claims::papers().unwrap();
    assert!(papers.windows(2).all(|pair| pair[0].slug < pair[1].slug));
    for paper in &papers {
        assert!(
            !paper.title.is_empty() && !paper.arxiv.is_empty() && !paper.protocol.is_empty(),
            "{}",
            paper.slug
        );
        assert!(
            registry.wings().iter().any(|wing| wing.name == paper.wing),
            "{}: no wing {}",
            paper.slug,
            paper.wing
        );
        for name in &paper.methods {
            let (card, _) = registry.method(name).unwrap();
            let own = card.paper.expect("a paper's method names its paper");
            assert_eq!(
                (own.slug, own.title, own.arxiv),
                (paper.slug.as_str(), paper.title.as_str(), paper.arxiv.as_str())
            );
        }
    }
    for (card, _) in registry.methods() {
        if let Some(own) = card.paper.and_then(|own| papers.iter().find(|paper| paper.slug == own.slug)) {
            assert!(own.methods.iter().any(|name| name == card.name), "{} misses {}", own.slug, card.name);
        }
    }
}

#[test]
fn a_paper_is_found_by_slug_and_by_number_and_a_slip_is_mended() {
    assert_eq!(claims::paper("redq").unwrap().arxiv, "2101.05982");
    assert_eq!(claims::paper("1509.06461").unwrap().slug, "double-dqn");
    let error = claims::paper("double_dqn").unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }) && error.to_string().contains("`double-dqn`"), "{error}");
}

/// The claims about estimators take milliseconds, so their verdicts are part of the tests.
#[test]
fn claims_about_estimators_hold() {
    use std::sync::atomic::AtomicBool;

    use quire_study::driver::{CHECKPOINT_EVERY, Driver, Event, Observer};
    use quire_study::{RunRecord, Store};

    struct Silent;
    impl Observer for Silent {
        fn event(&mut self, _run: &RunRecord, _event: &Event<'_>) {}
    }

    let registry = registry();
    let folder = tempfile::tempdir().unwrap();
    let paper = claims::paper("double-dqn").unwrap();
    for id in ["single-estimate-is-too-high", "noise-lures-the-maximum"] {
        let claim = paper.claim(id).unwrap();
        let mut store = Store::in_memory().unwrap();
        let study =
            store.add_study(&claim.plan(&registry, true, None, String::new(), None).unwrap()).unwrap();
        assert_eq!(claims::evaluate(claim, &store, study).unwrap().verdict, claims::Verdict::NotShown);
        let stop = AtomicBool::new(false);
        let driver = Driver {
            registry: &registry,
            folder: folder.path(),
            threads: 2,
            checkpoint_every: CHECKPOINT_EVERY,
            stop: &stop,
        };
        driver.drive(&mut store, study, &mut Silent).unwrap();
        let verdict = claims::evaluate(claim, &store, study).unwrap();
        assert_eq!(verdict.verdict, claims::Verdict::Holds, "{verdict:#?}");
    }
}
