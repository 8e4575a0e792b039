//! Extremely randomized trees are the same at every instruction set and for any shape of rows.
//!
//! A program of its own, because it changes the instruction set of the whole process.

use quire_core::Seeds;
use quire_kernels::simd::{Level, limit};
use quire_mdp::fitted::regressor::{ExtraTrees, Regressor, Rows, TreeOptions};
use rand::RngExt;

/// The nodes and the bits of the predictions of trees on rows of `width` inputs, of which the last does not vary.
fn fit(count: usize, width: usize, options: TreeOptions) -> (usize, Vec<u64>) {
    let mut rng = Seeds::new(4).stream("rows");
    let mut rows = Rows::new(width);
    for _ in 0..count {
        let input: Vec<f64> = (0..width).map(|at| if at + 1 < width { rng.random() } else { 2.0 }).collect();
        rows.targets.push((5.0 * input[0]).sin() + input[width / 2] * input[width - 2]);
        rows.inputs.extend(input);
    }
    let mut trees = ExtraTrees::new(options);
    trees.fit(&rows, &mut Seeds::new(0).stream("fit")).unwrap();
    let mut outputs = Vec::new();
    trees.predict(&rows.inputs, &mut outputs);
    let squares = outputs.iter().zip(&rows.targets).map(|(y, target)| (y - target).powi(2));
    let error = (squares.sum::<f64>() / rows.len() as f64).sqrt();
    assert!(error < 0.1, "{error} with {width} inputs");
    (trees.nodes(), outputs.into_iter().map(f64::to_bits).collect())
}

#[test]
fn trees_are_the_same_at_every_level() {
    // A row with its target takes one cache line up to 7 inputs, two up to 15, three up to 23; with 7 inputs the target is the
    // last number of its line, with 8 the first of the next.
    for (count, width, min_split, candidates) in
        [(1000, 5, 5, 0), (301, 3, 2, 1), (500, 7, 5, 3), (500, 8, 5, 0), (700, 15, 3, 0), (600, 20, 4, 6)]
    {
        let options = TreeOptions { trees: 20, min_split, candidates };
        let run = |level| {
            limit(level);
            fit(count, width, options.clone())
        };
        let widest = run(Level::Avx512);
        assert!(widest.0 > 20 * count / min_split, "{} nodes", widest.0);
        assert_eq!(run(Level::Avx2), widest);
        assert_eq!(run(Level::Baseline), widest);
    }
}
