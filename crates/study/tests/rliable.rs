//! The statistics beside what rliable computed on the same scores (`fixtures/record_rliable.py`).

use quire_study::statistics::{Aggregate, Bootstrap, Estimate, interquartile_mean, performance_profile};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/rliable.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn scores(fixture: &Value, name: &str) -> Vec<Vec<f64>> {
    fixture["scores"][name].as_array().unwrap().iter().map(numbers).collect()
}

/// The value must be rliable's; the interval's ends may differ by the noise of two resamplings, and by one step
/// of `lattice` where the statistic only takes values that far apart.
fn assert_close(got: Estimate, wanted: &Value, lattice: f64, what: &str) {
    let [value, low, high] = numbers(wanted)[..] else { panic!("{what}: not three numbers") };
    assert!((got.value - value).abs() < 1e-12, "{what}: {} instead of {value}", got.value);
    let tolerance = (0.03 * (high - low)).max(lattice) + 1e-12;
    assert!((got.low - low).abs() <= tolerance, "{what}: low {} instead of {low}", got.low);
    assert!((got.high - high).abs() <= tolerance, "{what}: high {} instead of {high}", got.high);
}

#[test]
fn aggregates_and_their_intervals_are_those_of_rliable() {
    let fixture = fixture();
    let bootstrap = Bootstrap { resamples: 50_000, ..Bootstrap::default() };
    for name in ["x", "y", "z"] {
        let scores = scores(&fixture, name);
        for (key, aggregate) in [
            ("iqm", Aggregate::Iqm),
            ("mean", Aggregate::Mean),
            ("median", Aggregate::Median),
            ("optimality_gap", Aggregate::OptimalityGap { threshold: 1.0 }),
        ] {
            let got = bootstrap.estimate(&scores, aggregate);
            // The scores of z are tenths, and its IQM a mean of 20 of them.
            let lattice = if name == "z" && key == "iqm" { 0.1 / 20.0 } else { 0.0 };
            assert_close(got, &fixture["aggregates"][name][key], lattice, &format!("{key} of {name}"));
        }
        let first = fixture["iqm_of_task_0"][name].as_f64().unwrap();
        assert!((interquartile_mean(&scores[0]) - first).abs() < 1e-15);
    }
}

#[test]
fn improvement_is_that_of_rliable() {
    let fixture = fixture();
    let bootstrap = Bootstrap { resamples: 20_000, ..Bootstrap::default() };
    for pair in ["x,y", "z,x", "y,z"] {
        let (x, y) = pair.split_once(',').unwrap();
        let got = bootstrap.improvement(&scores(&fixture, x), &scores(&fixture, y)).unwrap();
        assert_close(got, &fixture["improvement"][pair], 0.0, pair);
    }
}

#[test]
fn profiles_are_those_of_rliable() {
    let fixture = fixture();
    let thresholds = numbers(&fixture["thresholds"]);
    let bootstrap = Bootstrap { resamples: 20_000, ..Bootstrap::default() };
    for name in ["x", "y", "z"] {
        let profile = performance_profile(&scores(&fixture, name), &thresholds, &bootstrap);
        for (i, got) in profile.into_iter().enumerate() {
            assert_close(
                got,
                &fixture["profiles"][name][i],
                0.0,
                &format!("profile of {name} at {}", thresholds[i]),
            );
        }
    }
}
