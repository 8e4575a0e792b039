use quire_core::Seeds;
use rand::RngExt;

use super::*;

/// Rows with inputs uniform in [0, 1]^width.
fn rows(count: usize, width: usize, seed: u64, target: impl Fn(&[f64]) -> f64) -> Rows {
    let mut rng = Seeds::new(seed).stream("rows");
    let mut rows = Rows::new(width);
    for _ in 0..count {
        let input: Vec<f64> = (0..width).map(|_| rng.random()).collect();
        rows.targets.push(target(&input));
        rows.inputs.extend(input);
    }
    rows
}

fn fit(kind: RegressorKind, rows: &Rows) -> Box<dyn Regressor> {
    let network = NetworkOptions { epochs: 40, ..NetworkOptions::default() };
    let mut regressor = RegressorOptions { kind, ridge: 0.0, network, ..RegressorOptions::default() }.build();
    regressor.fit(rows, &mut Seeds::new(0).stream("fit")).unwrap();
    regressor
}

fn errors(regressor: &mut dyn Regressor, rows: &Rows) -> f64 {
    let mut outputs = Vec::new();
    regressor.predict(&rows.inputs, &mut outputs);
    assert_eq!(outputs.len(), rows.len());
    let squares = outputs.iter().zip(&rows.targets).map(|(y, target)| (y - target).powi(2));
    (squares.sum::<f64>() / rows.len() as f64).sqrt()
}

#[test]
fn cells_are_means() {
    let rows = Rows { width: 1, inputs: vec![2.0, 0.0, 2.0, 2.0], targets: vec![1.0, 5.0, 2.0, 6.0] };
    let mut outputs = Vec::new();
    fit(RegressorKind::CellMean, &rows).predict(&[0.0, 1.0, 2.0, 9.0], &mut outputs);
    assert_eq!(outputs, [5.0, 0.0, 3.0, 0.0]);
}

#[test]
fn a_plane_is_recovered_and_dependent_columns_are_refused() {
    let plane = rows(50, 3, 1, |x| 2.0 * x[0] - 3.0 * x[1] + 0.5 * x[2]);
    let weights = linear::least_squares(&plane, 0.0).unwrap();
    for (weight, expected) in weights.iter().zip([2.0, -3.0, 0.5]) {
        assert!((weight - expected).abs() < 1e-10, "{weights:?}");
    }
    assert!(errors(&mut *fit(RegressorKind::Linear, &plane), &plane) < 1e-10);
    let twice = Rows { width: 2, inputs: vec![1.0, 1.0, 2.0, 2.0], targets: vec![1.0, 2.0] };
    assert!(linear::least_squares(&twice, 0.0).unwrap_err().to_string().contains("ridge"));
    // With a penalty the two share the slope.
    let shared = linear::least_squares(&twice, 1e-9).unwrap();
    assert!((shared[0] - 0.5).abs() < 1e-6 && (shared[1] - 0.5).abs() < 1e-6, "{shared:?}");
}

#[test]
fn trees_learn_a_step_and_a_curve() {
    let step = |x: &[f64]| f64::from(u8::from(x[1] > 0.5));
    let train = rows(500, 4, 2, step);
    let mut trees = fit(RegressorKind::ExtraTrees, &train);
    // With n_min = 5 a node of fewer rows may mix both sides of the step; next to all rows are exact.
    assert!(errors(&mut *trees, &train) < 0.1);
    assert!(errors(&mut *trees, &rows(500, 4, 3, step)) < 0.2);
    let curve = |x: &[f64]| (6.0 * x[0]).sin() + x[1] * x[2];
    let (train, test) = (rows(2000, 3, 4, curve), rows(500, 3, 5, curve));
    let error = errors(&mut *fit(RegressorKind::ExtraTrees, &train), &test);
    assert!(error < 0.06, "{error}");
}

/// The leaves of a tree partition the rows: with n_min = 2 and distinct rows every training row is predicted exactly, and
/// the mean of all predictions is the mean of the targets for any n_min.
#[test]
fn trees_keep_the_mean_and_can_memorize() {
    let train = rows(300, 2, 6, |x| x[0] * 10.0 + x[1]);
    for (min_split, candidates) in [(2, 0), (2, 1), (40, 0), (40, 1)] {
        let mut trees = ExtraTrees::new(TreeOptions { trees: 3, min_split, candidates });
        trees.fit(&train, &mut Seeds::new(1).stream("fit")).unwrap();
        let mut outputs = Vec::new();
        trees.predict(&train.inputs, &mut outputs);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean(&outputs) - mean(&train.targets)).abs() < 1e-9);
        if min_split == 2 {
            assert!(errors(&mut trees, &train) < 1e-12);
            assert_eq!(trees.nodes(), 3 * (2 * 300 - 1));
        }
    }
    let constant = Rows { width: 1, inputs: vec![1.0; 8], targets: (0..8).map(f64::from).collect() };
    let mut outputs = Vec::new();
    fit(RegressorKind::ExtraTrees, &constant).predict(&[1.0, -4.0], &mut outputs);
    assert_eq!(outputs, [3.5, 3.5]);
}

#[test]
fn a_network_learns_a_curve_and_repeats_itself() {
    let curve = |x: &[f64]| (6.0 * x[0]).sin() + x[1];
    let train = rows(2000, 2, 7, curve);
    let mut network = fit(RegressorKind::Network, &train);
    let error = errors(&mut *network, &rows(300, 2, 8, curve));
    assert!(error < 0.15, "{error}");
    assert_eq!(error, errors(&mut *fit(RegressorKind::Network, &train), &rows(300, 2, 8, curve)));
}

#[test]
fn rows_of_states_and_actions() {
    let encode = |kind| {
        let options = RegressorOptions { kind, ..RegressorOptions::default() };
        let encoding = options.encoding(2, 3, vec![0.5, 0.6, 0.7, 0.8]);
        let mut inputs = Vec::new();
        encoding.push(1, 2, &mut inputs);
        assert_eq!(inputs.len(), encoding.width());
        inputs
    };
    assert_eq!(encode(RegressorKind::CellMean), [5.0]);
    assert_eq!(encode(RegressorKind::Linear), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7, 0.8, 1.0]);
    assert_eq!(encode(RegressorKind::ExtraTrees), [0.7, 0.8, 2.0]);
    assert_eq!(encode(RegressorKind::Network), [0.7, 0.8, 0.0, 0.0, 1.0]);
}
