//! Summaries and pages of made-up studies. Set `QUIRE_REPORTS` to a folder to get the pages and look at them.

mod made_up;
mod page;

use made_up::{cart_pole, learning, metric, problem, run_all, study};
use page::{assert_well_formed, keep};
use quire_core::{Direction, Point};
use quire_study::report::{CurveSvg, curve_svg, html};
use quire_study::store::StudyStatus;
use quire_study::{Store, StudySummary};

fn assert_self_contained(page: &str) {
    for word in ["http://", "https://", "src=", "@import", "url("] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(word), "the page refers to something outside: {word}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf "), "a number that is none");
}

#[test]
fn one_problem_on_one_page() {
    let methods = ["dqn", "double-dqn", "bootstrapped-dqn", "sql"];
    let mut store = Store::in_memory().unwrap();
    let new = cart_pole(&methods, 5);
    let id = run_all(&mut store, &new, |run| {
        // One seed of the last method breaks down.
        (run.label != "sql" || run.spec.seed != 3).then(|| learning(run, &methods, 50_000))
    });
    let summary = StudySummary::from_store(&store, id).unwrap();
    assert_eq!((summary.problem.as_str(), summary.metric.as_str()), ("CartPole-v1", "return"));
    assert_eq!(summary.methods.len(), 4);
    assert_eq!(summary.baseline, "dqn");
    assert!(summary.methods.windows(2).all(|pair| pair[0].iqm >= pair[1].iqm), "the best first");
    let sql = summary.methods.iter().find(|method| method.name == "sql").unwrap();
    assert_eq!((sql.failed, sql.seeds.len()), (1, 5));
    assert!(sql.iqm.is_finite(), "the interquartile mean bears one failure in five");
    let improvement = sql.improvement.unwrap();
    assert!(improvement.value < 0.2 && improvement.low <= improvement.value);
    assert!(summary.finding.starts_with("dqn is ahead of double-dqn"), "{}", summary.finding);
    assert_eq!(summary.problems[0].curves.len(), 3);
    assert_eq!(summary.problems[0].curves[0].methods[0].steps.len(), 100);

    let page = html(&summary);
    assert_well_formed(&page);
    assert_self_contained(&page);
    for word in [
        "DQN and its successors",
        "quire compare dqn",
        "optimizer.epsilon",
        "1 of 5 runs failed",
        "4f2a91c",
        "prior_scale",
    ] {
        assert!(page.contains(word), "the page lacks {word}");
    }
    keep("one.html", &page);
    let options = CurveSvg { title: Some("CartPole-v1".into()), optimum: Some(500.0), ..CurveSvg::default() };
    let picture = curve_svg(&summary.problems[0].curves[0], &options);
    assert_well_formed(&picture);
    assert!(picture.starts_with("<svg xmlns=") && picture.contains("bootstrapped-dqn"));
    keep("curve.svg", &picture);
    // The same content for machines.
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!((&json["metric"], &json["methods"][0]["name"]), (&"return".into(), &"dqn".into()));
    assert!(json["methods"][0]["ci"][0].is_number() && json["report"].is_null());
}

#[test]
fn several_problems_are_normalized() {
    let methods = ["psrl", "ucbvi", "bayes-ucbvi", "rlsvi", "opsrl"];
    let regret = || {
        metric(
            "regret",
            "reward",
            Direction::Lower,
            "Reward lost against the optimal policy, summed over episodes.",
        )
    };
    let names = ["river-swim-6", "garnet-20-4", "grid-world-5x5", "chain-12"];
    let problems = names.map(|name| problem(name, vec![regret()], Some(0.0), 2000, "episodes")).to_vec();
    let mut store = Store::in_memory().unwrap();
    let new = study("Exploration in finite MDPs", problems, &methods, 8);
    let id = run_all(&mut store, &new, |run| {
        let wave = learning(run, &methods, 2000);
        let scale = 10f64.powi(names.iter().position(|name| *name == run.spec.problem).unwrap() as i32);
        let mut sum = 0.0;
        let lost = wave.iter().filter(|point| point.metric == "return").map(|point| {
            sum += (510.0 - point.value) / 100.0 * scale;
            Point { step: point.step, metric: "regret", value: sum }
        });
        Some(lost.collect())
    });
    let summary = StudySummary::from_store(&store, id).unwrap();
    assert_eq!(summary.metric, "normalized score");
    assert!(summary.methods.iter().all(|method| (0.0..=1.0).contains(&method.iqm)));
    assert!(summary.methods.iter().all(|method| method.seeds.len() == 32));
    let profile = summary.profile.as_ref().unwrap();
    assert_eq!((profile.methods.len(), profile.thresholds.len()), (5, 101));
    // Lower is better on each problem, higher over all: the order must be the same here.
    let first = &summary.methods[0].name;
    assert!(summary.problems.iter().all(|problem| problem.methods[0].name == *first));
    let page = html(&summary);
    assert_well_formed(&page);
    assert_self_contained(&page);
    assert!(page.contains("Performance profile") && page.contains("chain-12"));
    keep("several.html", &page);
}

#[test]
fn solvers_get_decades() {
    let methods = ["sor", "adaptive-sor-bandit-with-context", "conjugate-gradient"];
    let residual =
        metric("residual", "", Direction::Lower, "Norm of the residual over that of the right-hand side.");
    let problems = vec![problem("heat-equation-64", vec![residual], None, 300, "iterations")];
    let mut store = Store::in_memory().unwrap();
    let new = study("Solvers", problems, &methods, 3);
    let id = run_all(&mut store, &new, |run| {
        let rate = 0.9 - 0.02 * run.spec.seed as f64 - if run.label == "sor" { 0.0 } else { 0.08 };
        Some(
            (1..=300)
                .map(|k| Point { step: k, metric: "residual", value: f64::powi(rate, k as i32 / 2) })
                .collect(),
        )
    });
    let summary = StudySummary::from_store(&store, id).unwrap();
    assert!(summary.finding.contains("With 3 seeds a method"), "{}", summary.finding);
    let page = html(&summary);
    assert_well_formed(&page);
    assert!(page.contains("10⁻"), "decades on the axis");
    keep("solvers.html", &page);
}

#[test]
fn a_study_under_way_and_a_single_run_say_so() {
    let mut store = Store::in_memory().unwrap();
    let new = cart_pole(&["dqn"], 2);
    let id = store.add_study(&new).unwrap();
    let empty = StudySummary::from_store(&store, id).unwrap();
    assert_eq!(empty.finding, "No run has ended yet.");
    assert_eq!(empty.status, StudyStatus::Pending);
    assert_well_formed(&html(&empty));
    keep("empty.html", &html(&empty));

    let run = store.claim(id, "here").unwrap().unwrap();
    let points = learning(&run, &["dqn"], 50_000);
    let batch = quire_study::store::Batch { points: &points, steps: 50_000, wall_s: 3.0, checkpoint: None };
    store.append(run.id, &batch).unwrap();
    let running = StudySummary::from_store(&store, id).unwrap();
    assert!(running.methods[0].iqm.is_nan() && running.problems[0].curves[0].methods[0].runs == 1);
    let outcome = quire_study::store::Outcome {
        status: quire_study::store::RunStatus::Done,
        reason: "budget spent".into(),
        artefact: None,
    };
    store.finish(run.id, &batch, &outcome).unwrap();
    let one = StudySummary::from_store(&store, id).unwrap();
    assert!(one.methods[0].iqm.is_finite() && one.methods[0].ci.is_none());
    let page = html(&one);
    assert_well_formed(&page);
    assert!(page.contains("This study is running: 1 of 2 runs have ended, 1 have not."));
    keep("running.html", &page);
}

#[test]
fn names_cannot_break_the_page() {
    let mut store = Store::in_memory().unwrap();
    let mut new = cart_pole(&["a</script><b>&\"'"], 2);
    new.name = "<script>alert(1)</script>".into();
    let id = run_all(&mut store, &new, |run| Some(learning(run, &["a</script><b>&\"'"], 1000)));
    let page = html(&StudySummary::from_store(&store, id).unwrap());
    assert!(!page.contains("<script>alert") && !page.contains("a</script>"));
    assert_well_formed(&page);
}

#[test]
fn every_run_failing_is_a_result_too() {
    let mut store = Store::in_memory().unwrap();
    let new = cart_pole(&["dqn", "sql"], 3);
    let id = run_all(&mut store, &new, |_| None);
    let summary = StudySummary::from_store(&store, id).unwrap();
    assert_eq!(summary.status, StudyStatus::Failed);
    assert_eq!(summary.finding, "Too many runs of every method failed to compare them.");
    let page = html(&summary);
    assert_well_formed(&page);
    keep("failed.html", &page);
}

#[test]
fn many_methods_with_long_names_keep_their_labels_apart() {
    let names: Vec<String> = (1..=12)
        .map(|k| format!("method-{k}{}", if k % 5 == 0 { "-with-a-long-name" } else { "" }))
        .collect();
    let methods: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut store = Store::in_memory().unwrap();
    let new = cart_pole(&methods, 5);
    let id = run_all(&mut store, &new, |run| {
        let mut points = learning(run, &["x", &run.label], 50_000);
        points.retain(|point| point.metric == "return");
        Some(points)
    });
    let page = html(&StudySummary::from_store(&store, id).unwrap());
    assert_well_formed(&page);
    // Every label at a line end of the wide plot has a line of its own.
    let plot = &page[page.find("class=\"wide\"").unwrap()..page.find("class=\"narrow\"").unwrap()];
    let mut heights: Vec<f64> = plot
        .split("class=\"end\"")
        .skip(1)
        .map(|rest| rest.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    heights.sort_by(f64::total_cmp);
    assert_eq!(heights.len(), 12);
    assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > 15.0), "{heights:?}");
    keep("many.html", &page);
}
