//! The contract of every method in the registry, whoever wrote it: the same spec gives the same bits on any number of
//! threads; a run saved anywhere and resumed is the run that was never stopped; options round-trip; bad options are
//! named; every run ends with a reason, its metrics are finite and declared, its trace goes forward.
//!
//! A method joins by a table in `presets.toml`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quire_core::{
    Artefact, MethodCard, OptionMap, Point, Problem, Progress, Reason, Registry, Run, RunSpec, Seeds, Trace,
    options,
};
use quire_study::registry;
use rand::RngExt;
use serde_json::{Value, json};

struct Preset {
    problem: Arc<dyn Problem>,
    card: MethodCard,
    spec: RunSpec,
}

/// Every method of the registry with its preset.
fn presets() -> Vec<Preset> {
    let file: toml::Table = toml::from_str(include_str!("presets.toml")).unwrap();
    let registry = registry();
    let preset = |card: &MethodCard| {
        let table = file.get(card.name).unwrap_or_else(|| {
            panic!(
                "presets.toml has no table [{}]: give it a problem, steps and options for a short run",
                card.name
            )
        });
        let problem = registry.problem(table["problem"].as_str().unwrap()).unwrap();
        let mut spec = RunSpec::new(&problem.card().name, card.name, 7);
        spec.budget = Some(table["steps"].as_integer().unwrap() as u64);
        if let Some(set) = table.get("options") {
            spec.options = options::from_toml(set.as_table().unwrap().clone());
        }
        Preset { problem, card: card.clone(), spec }
    };
    let methods = registry.methods();
    let known: Vec<&str> = methods.iter().map(|(card, _)| card.name).collect();
    let stale: Vec<&String> = file.keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(stale.is_empty(), "presets.toml has tables for methods that do not exist: {stale:?}");
    methods.iter().map(|(card, _)| preset(card)).collect()
}

/// A finished run: everything it recorded, its end, what it left, its last state.
#[derive(PartialEq)]
struct Finished {
    points: Vec<Point>,
    reason: Reason,
    artefact: Option<Artefact>,
    state: Vec<u8>,
}

/// Steps a run to its end; `points` holds what was recorded before.
fn finish(mut run: Box<dyn Run>, points: Vec<Point>) -> Finished {
    let mut trace = Trace::new();
    loop {
        if let Progress::Done(reason) = run.step(&mut trace).unwrap() {
            let points = [points, trace.take()].concat();
            return Finished { points, reason, artefact: run.artefact(), state: run.save() };
        }
    }
}

fn assert_same(method: &str, what: &str, left: &Finished, right: &Finished) {
    let differing = left.points.iter().zip(&right.points).find(|(a, b)| a != b);
    assert!(differing.is_none(), "{method}: {what}: the traces differ at {differing:?}");
    assert_eq!(left.points.len(), right.points.len(), "{method}: {what}: one trace is longer");
    assert!(left == right, "{method}: {what}: end, artefact or state differ");
}

#[test]
fn the_same_spec_gives_the_same_bits_on_any_number_of_threads() {
    for preset in presets() {
        let run = |seed, threads| {
            let spec = RunSpec { threads, seed, ..preset.spec.clone() };
            finish(preset.problem.start(&spec).unwrap(), Vec::new())
        };
        let first = run(7, 1);
        assert_same(preset.card.name, "run twice", &first, &run(7, 1));
        assert_same(preset.card.name, "on two threads", &first, &run(7, 2));
        assert_same(preset.card.name, "on three threads", &first, &run(7, 3));
        assert!(first.points != run(8, 1).points, "{}: another seed changes nothing", preset.card.name);
    }
}

#[test]
fn a_run_saved_anywhere_and_resumed_is_the_run_never_stopped() {
    for preset in presets() {
        let name = preset.card.name;
        let whole = finish(preset.problem.start(&preset.spec).unwrap(), Vec::new());
        let mut run = preset.problem.start(&preset.spec).unwrap();
        let mut steps = 0_usize;
        while run.step(&mut Trace::new()).unwrap() == Progress::Continue {
            steps += 1;
        }
        assert!(steps > 1, "{name}: the preset ends within one step, which tests nothing");
        let mut rng = Seeds::new(1).stream(name);
        for _ in 0..3 {
            let stop = rng.random_range(0..=steps);
            let mut run = preset.problem.start(&preset.spec).unwrap();
            let mut trace = Trace::new();
            for _ in 0..stop {
                run.step(&mut trace).unwrap();
            }
            let saved = run.save();
            drop(run);
            let resumed = preset.problem.resume(&preset.spec, &saved).unwrap();
            assert!(resumed.save() == saved, "{name}: resuming and saving at once changes the state");
            let what = format!("stopped after {stop} of {steps} steps");
            assert_same(name, &what, &whole, &finish(resumed, trace.take()));
        }
    }
}

#[test]
fn a_foreign_or_damaged_state_is_an_error() {
    for preset in presets() {
        let saved = preset.problem.start(&preset.spec).unwrap().save();
        let resume = |spec: &RunSpec, bytes: &[u8]| preset.problem.resume(spec, bytes).err();
        assert!(resume(&preset.spec, &saved[..saved.len() / 2]).is_some(), "{}", preset.card.name);
        assert!(resume(&preset.spec, b"").is_some(), "{}", preset.card.name);
        let other = RunSpec { seed: 99, ..preset.spec.clone() };
        assert!(resume(&other, &saved).is_some(), "{}: another run's state was taken", preset.card.name);
    }
}

/// A checksum that is right stands for the worst of damages, or for a state of another version: whatever the body says, it is
/// refused or it makes a run that can be asked and saved.
#[test]
fn a_state_that_cannot_be_is_an_error_and_no_panic() {
    let mut rng = Seeds::new(11).stream("damage");
    let mut panicked = BTreeMap::new();
    for preset in presets() {
        let genuine = preset.problem.start(&preset.spec).unwrap().save();
        let kind = u32::from_le_bytes(genuine[8..12].try_into().unwrap()) as usize;
        let (frame, body) = genuine.split_at(8 + 4 + kind + 4);
        for _ in 0..15 {
            let mut body = body.to_vec();
            for _ in 0..rng.random_range(1..4) {
                let place = rng.random_range(0..body.len().min(400));
                body[place] = if rng.random_bool(0.5) { rng.random() } else { 255 - rng.random_range(0..2) };
            }
            let checksum = crc32fast::hash(&body).to_le_bytes();
            let saved = [&frame[..frame.len() - 4], &checksum, &body].concat();
            let resumed = std::panic::AssertUnwindSafe(|| {
                if let Ok(run) = preset.problem.resume(&preset.spec, &saved) {
                    let _ = (run.progress(), run.save());
                }
            });
            if std::panic::catch_unwind(resumed).is_err() {
                *panicked.entry(preset.card.name).or_insert(0) += 1;
            }
        }
    }
    assert!(panicked.is_empty(), "methods that panic, and how often of 15: {panicked:?}");
}

#[test]
fn runs_end_with_a_reason_finite_declared_metrics_and_a_trace_that_goes_forward() {
    for preset in presets() {
        let name = preset.card.name;
        let finished = finish(preset.problem.start(&preset.spec).unwrap(), Vec::new());
        assert!(!matches!(finished.reason, Reason::Diverged(_)), "{name}: {}", finished.reason);
        assert!(!finished.reason.to_string().is_empty());
        assert!(finished.artefact.is_some(), "{name} leaves no artefact");
        let card = preset.problem.card();
        let mut last: HashMap<&str, u64> = HashMap::new();
        for point in &finished.points {
            assert!(point.value.is_finite(), "{name}: {point:?}");
            assert!(
                card.metrics.iter().any(|metric| metric.name == point.metric),
                "{name}: {} is undeclared",
                point.metric
            );
            assert!(point.step <= preset.spec.budget.unwrap(), "{name}: {point:?} lies behind the budget");
            if let Some(before) = last.insert(point.metric, point.step) {
                assert!(
                    before < point.step,
                    "{name}: {} does not go forward at {}",
                    point.metric,
                    point.step
                );
            }
        }
        assert_eq!(
            last.get(card.metric().name),
            preset.spec.budget.as_ref(),
            "{name}: no final {}",
            card.metric().name
        );
    }
}

#[test]
fn artefacts_can_be_evaluated_after_a_trip_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    for preset in presets() {
        let path = folder.path().join(preset.card.name);
        let artefact = finish(preset.problem.start(&preset.spec).unwrap(), Vec::new()).artefact.unwrap();
        artefact.save(&path).unwrap();
        let mut loaded = Artefact::load(&path).unwrap();
        // On disk an absent option reads "none".
        loaded.options = preset.card.options.with(&[&loaded.options]).unwrap();
        assert!(loaded == artefact, "{}", preset.card.name);
        let scores = preset.problem.evaluate(&loaded, 3, 5).unwrap().scores;
        assert_eq!(scores.len(), 3, "{}", preset.card.name);
        assert_eq!(scores, preset.problem.evaluate(&artefact, 3, 5).unwrap().scores, "{}", preset.card.name);
        let empty = Artefact { files: BTreeMap::new(), ..artefact };
        assert!(
            preset.problem.evaluate(&empty, 1, 0).is_err(),
            "{}: an empty artefact was evaluated",
            preset.card.name
        );
    }
}

#[test]
fn options_round_trip_through_toml_and_every_bad_one_is_named() {
    for preset in presets() {
        let schema = &preset.card.options;
        let all = schema.with(&[&preset.spec.options]).unwrap();
        let text = toml::to_string(&options::to_toml(&all)).unwrap();
        let back = options::from_toml(toml::from_str(&text).unwrap());
        assert_eq!(schema.with(&[&back]).unwrap(), all, "{}", preset.card.name);
        for field in schema.fields() {
            // An unfinished table fits no option, and a list of tables neither.
            for bad in [json!([{}]), json!({"no such": 1})] {
                refuse(&preset, &field.name, bad);
            }
            if field.kind.contains("number") && !field.kind.starts_with("list") {
                refuse(&preset, &field.name, json!("many"));
            }
            if let Some(outside) = outside(&field.kind) {
                refuse(&preset, &field.name, outside);
            }
        }
        let spec = with_option(&preset, "no_such_option", json!(1));
        let message = preset.problem.start(&spec).err().unwrap().to_string();
        assert!(message.contains("no_such_option"), "{}: {message}", preset.card.name);
    }
}

/// A number just outside the range that a field's description states.
fn outside(kind: &str) -> Option<Value> {
    let number =
        |text: &str| text.split(|c: char| ",)] ".contains(c)).next().and_then(|n| n.parse::<f64>().ok());
    let low = kind
        .split(" in [")
        .nth(1)
        .or(kind.split(" of at least ").nth(1))
        .and_then(number)
        .map(|low| low - 1.0);
    let open = kind.split(" in (").nth(1).or(kind.split(" above ").nth(1)).and_then(number);
    low.or(open).filter(|_| !kind.starts_with("list")).map(|value| json!(value))
}

fn with_option(preset: &Preset, name: &str, value: Value) -> RunSpec {
    let mut spec = preset.spec.clone();
    // The bad value replaces whatever the preset says of the same option or the table it is in.
    let head = name.split('.').next().unwrap();
    spec.options.shift_remove(head);
    spec.options.insert(name.to_owned(), value);
    spec
}

fn refuse(preset: &Preset, name: &str, value: Value) {
    let result = preset.problem.start(&with_option(preset, name, value.clone()));
    let message = match result {
        Ok(_) => panic!("{}: {name} = {value} was accepted", preset.card.name),
        Err(error) => error.to_string(),
    };
    let head = name.split('.').next().unwrap();
    assert!(
        message.contains(head),
        "{}: {name} = {value}: the message does not name it: {message}",
        preset.card.name
    );
}

#[test]
fn tuned_options_are_valid_and_for_problems_that_exist() {
    let registry: Registry = registry();
    for (card, problems) in registry.methods() {
        for (problem, tuned) in &card.tuned {
            assert!(problems.contains(&problem.as_str()), "{} has options tuned for {problem}", card.name);
            let spec = RunSpec { options: tuned.clone(), ..RunSpec::new(problem, card.name, 0) };
            registry.problem(problem).unwrap().start(&spec).unwrap();
        }
        let defaults: OptionMap = card.options.with(&[]).unwrap();
        assert_eq!(&defaults, card.options.defaults(), "{}", card.name);
    }
}

#[test]
fn names_are_unique_and_cards_are_filled_in() {
    let registry = registry();
    let mut names: Vec<String> =
        registry.problems().map(|problem| problem.card().name.to_lowercase()).collect();
    names.extend(registry.methods().iter().map(|(card, _)| card.name.to_owned()));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two problems or methods share a name");
    for (card, _) in registry.methods() {
        assert!(
            !card.summary.is_empty() && !card.when.is_empty() && !card.family.is_empty(),
            "{}",
            card.name
        );
        assert!(
            card.is_baseline || card.paper.is_some(),
            "{} is neither a baseline nor a paper's",
            card.name
        );
        for field in card.options.fields() {
            assert!(!field.description.is_empty(), "{}: option {} has no description", card.name, field.name);
        }
    }
}
