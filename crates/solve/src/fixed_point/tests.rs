//! Exact orbits, the bounds at every k, certificates.

use quire_core::{OptionMap, Seeds};

use super::cones::{Cone, ConeProgram};
use super::consensus::Consensus;
use super::halpern::{self, Halpern};
use super::operators::{Drift, LineAndDisc, LinearProgram};
use super::plain::{self, Plain, RestartedDifferences};
use super::problems::{Displacement, Feasibility, Kind};
use super::*;
use crate::problem::World;
use crate::solver::{Method, Solver, solve};

const ON_AND_ON: FixedPointOptions =
    FixedPointOptions { fixed_tolerance: 0.0, agreement: 0.0, excluded: 1e5 };

/// A linear program of 20 equations.
fn program(which: Feasibility) -> Kind {
    Kind::Program { which, rows: 20 }
}

fn errors(
    problem: &FixedPoint,
    v: &[f64],
    solver: &mut dyn Solver<FixedPoint>,
    steps: u64,
) -> Vec<(f64, f64)> {
    let n = v.len();
    let square = |a: &[f64]| a.iter().zip(v).map(|(a, v)| (a - v).powi(2)).sum::<f64>();
    (0..steps)
        .map(|_| {
            solver.iterate(problem).unwrap();
            let values = solver.values();
            (square(&values[n..2 * n]), square(&values[2 * n..3 * n]))
        })
        .collect()
}

#[test]
fn a_pure_drift_is_known_from_the_first_step() {
    let problem = FixedPoint {
        operator: Box::new(Drift { angle: 0.0, length: 0.3, part: 1.0 }),
        start: vec![2.0, -1.0, 4.0],
    };
    let mut halpern = Halpern::new(&problem, ON_AND_ON).unwrap();
    for k in 1..=200 {
        halpern.iterate(&problem).unwrap();
        let expected = [2.0, -1.0, 4.0 - 0.15 * f64::from(k)];
        halpern.values().iter().zip(expected).for_each(|(x, e)| assert!((x - e).abs() < 1e-12));
    }
    for solver in [
        &mut Halpern::new(&problem, ON_AND_ON).unwrap() as &mut dyn Solver<FixedPoint>,
        &mut Plain::new(&problem, ON_AND_ON).unwrap(),
        &mut RestartedDifferences::new(&problem, ON_AND_ON).unwrap(),
    ] {
        for (r, n) in errors(&problem, &[0.0, 0.0, 0.3], solver, 200) {
            assert!(r < 1e-24 && n < 1e-24, "{r} {n}");
        }
    }
}

#[test]
fn the_bounds_hold_at_every_step() {
    for kind in [Kind::Drift(1.0), Kind::Drift(0.5), Kind::Sets] {
        for seed in 0..4 {
            let (problem, truth) = kind.draw(seed).unwrap();
            let (v, scale) = (truth.v.unwrap(), truth.distance * truth.distance);
            let steps = 2000;
            let anchored = errors(&problem, &v, &mut Halpern::new(&problem, ON_AND_ON).unwrap(), steps);
            let plain = errors(&problem, &v, &mut Plain::new(&problem, ON_AND_ON).unwrap(), steps);
            let mut before = f64::INFINITY;
            for k in 1..=steps {
                let at = k as usize - 1;
                let slack = 1e-12;
                assert!(anchored[at].0 <= halpern::residual_bound(k) * scale + slack, "{kind:?} {k}");
                assert!(anchored[at].1 <= halpern::normalized_bound(k) * scale + slack, "{kind:?} {k}");
                assert!(plain[at].1 <= plain::normalized_bound(k) * scale + slack, "{kind:?} {k}");
                if kind != Kind::Drift(1.0) {
                    // Half-averaged: the drift by construction, Douglas-Rachford by nature.
                    assert!(plain[at].0 <= plain::residual_bound(k, 0.5) * scale + slack, "{kind:?} {k}");
                    assert!(plain[at].0 <= before + slack);
                    before = plain[at].0;
                }
            }
        }
    }
    // The value that is quoted for 25 steps, and the tight worst case found by a checker.
    assert!((halpern::residual_bound(25) - 0.036_641_7).abs() < 1e-7);
    let (problem, truth) = Kind::Drift(1.0).draw(0).unwrap();
    let all = errors(&problem, &truth.v.unwrap(), &mut Halpern::new(&problem, ON_AND_ON).unwrap(), 25);
    assert!(all[24].0 <= 0.026_788_8 * 2.0);
}

#[test]
fn numbers_of_an_independent_run() {
    // ‖·‖²/R² at k = 100, 1000, 10000 on the drifting rotation, to the digits that were printed.
    let near = |found: f64, expected: f64, part: f64| {
        assert!((found / expected - 1.0).abs() < part, "{found} {expected}")
    };
    let run = |kind: Kind, halpern: bool| {
        let (problem, truth) = kind.draw(0).unwrap();
        let mut solver: Box<dyn Solver<FixedPoint>> = if halpern {
            Box::new(Halpern::new(&problem, ON_AND_ON).unwrap())
        } else {
            Box::new(Plain::new(&problem, ON_AND_ON).unwrap())
        };
        let all = errors(&problem, &truth.v.unwrap(), &mut *solver, 10_000);
        [100, 1000, 10_000].map(|k| (all[k - 1].0 / 2.0, all[k - 1].1 / 2.0))
    };
    let [a, b, c] = run(Kind::Drift(1.0), true);
    near(a.0, 2.1e-4, 0.05);
    near(b.0, 4.0e-6, 0.05);
    near(c.0, 6e-11, 0.2);
    near(b.1, 4e-6, 0.15);
    near(c.1, 4e-8, 0.15);
    // The plain residual never converges.
    run(Kind::Drift(1.0), false).iter().for_each(|found| near(found.0, 6.2e-3, 0.01));
    let [a, b, c] = run(Kind::Drift(0.5), false);
    near(a.0, 1.3e-3, 0.05);
    near(b.0, 3.3e-4, 0.05);
    near(c.0, 3e-10, 0.1);
    let [a, b, c] = run(Kind::Drift(0.5), true);
    near(a.0, 3.1e-4, 0.05);
    near(b.0, 1.25e-6, 0.05);
    near(c.0, 1e-8, 0.2);
}

#[test]
fn consistent_problems_converge_at_halperns_rate() {
    let problem = FixedPoint {
        operator: Box::new(Drift { angle: 1.0, length: 0.0, part: 1.0 }),
        start: vec![1.0, 1.0, 5.0],
    };
    let mut halpern = Halpern::new(&problem, ON_AND_ON).unwrap();
    for (index, (r, _)) in errors(&problem, &[0.0; 3], &mut halpern, 500).into_iter().enumerate() {
        let k = index as f64 + 1.0;
        assert!(r.sqrt() <= 2.0 * 2.0_f64.sqrt() / (k + 1.0) + 1e-12);
    }
}

#[test]
fn sets_are_as_far_apart_as_they_are() {
    for (height, radius) in [(2.0, 1.0), (3.5, 0.25)] {
        let problem =
            FixedPoint { operator: Box::new(LineAndDisc { height, radius }), start: vec![3.0, 1.0] };
        let set = FixedPointOptions { agreement: 1e-3, ..FixedPointOptions::default() };
        let found = solve(&mut Plain::new(&problem, set).unwrap(), &problem, 100_000);
        assert!(found.reason.to_string().contains("apart"), "{}", found.reason);
        assert!((found.values[3].abs() - (height - radius)).abs() < 1e-4, "{:?}", found.values);
    }
    // Where they meet, nothing is claimed.
    let meet =
        FixedPoint { operator: Box::new(LineAndDisc { height: 1.0, radius: 1.5 }), start: vec![3.0, 1.0] };
    let found = solve(&mut Plain::new(&meet, FixedPointOptions::default()).unwrap(), &meet, 100_000);
    assert!(found.reason.to_string().contains("displacement"), "{}", found.reason);
}

#[test]
fn linear_programs_are_certified_or_not_called_infeasible() {
    for seed in 0..4 {
        let (problem, _) = program(Feasibility::Infeasible).draw(seed).unwrap();
        let found = solve(&mut Plain::new(&problem, FixedPointOptions::default()).unwrap(), &problem, 20_000);
        assert!(found.reason.to_string().contains("infeasible"), "seed {seed}: {}", found.reason);
        let (problem, _) = program(Feasibility::Feasible).draw(seed).unwrap();
        let mut halpern = Halpern::new(&problem, FixedPointOptions::default()).unwrap();
        let mut plain = Plain::new(&problem, FixedPointOptions::default()).unwrap();
        for solver in [&mut halpern as &mut dyn Solver<FixedPoint>, &mut plain] {
            let found = solve(solver, &problem, 10_000);
            assert!(!found.reason.to_string().contains("infeasible"), "seed {seed}: {}", found.reason);
            let (first, last) = (found.residuals[0], found.residuals[found.residuals.len() - 1]);
            assert!(last < 0.05 * first, "seed {seed}: {last} after {first}");
        }
    }
}

#[test]
fn pdhg_is_nonexpansive_in_its_norm() {
    let program = LinearProgram::infeasible(6, 9, &mut Seeds::new(3).stream("lp"));
    let point = |shift: f64| (0..15).map(|i| (shift + f64::from(i) * 1.7).sin() * 3.0).collect::<Vec<f64>>();
    for (a, b) in [(0.0, 1.0), (2.0, -4.0), (10.0, 11.0)] {
        let (x, y) = (point(a), point(b));
        let (mut tx, mut ty) = (vec![0.0; 15], vec![0.0; 15]);
        program.apply(&x, &mut tx);
        program.apply(&y, &mut ty);
        let square =
            |a: &[f64], b: &[f64]| program.square(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>());
        assert!(square(&tx, &ty) <= square(&x, &y) * (1.0 + 1e-12));
    }
}

#[test]
fn bad_options_are_named() {
    let (problem, _) = Kind::Sets.draw(0).unwrap();
    let set: OptionMap = [("agreement".to_owned(), (-1.0).into())].into_iter().collect();
    assert!((METHODS[0].make)(&problem, &set).err().unwrap().to_string().contains("agreement"));
}

/// ‖r - v‖²/R² and ‖n - v‖²/R² in the operator's norm after every step.
fn relative_errors(kind: Kind, seed: u64, halpern: bool, steps: u64) -> Vec<(f64, f64)> {
    let (problem, truth) = kind.draw(seed).unwrap();
    let mut solver: Box<dyn Solver<FixedPoint>> = if halpern {
        Box::new(Halpern::new(&problem, ON_AND_ON).unwrap())
    } else {
        Box::new(Plain::new(&problem, ON_AND_ON).unwrap())
    };
    (0..steps)
        .map(|_| {
            solver.iterate(&problem).unwrap();
            let told = kind.measure(&problem, &truth, &solver.values());
            let of = |name: &str| told.iter().find(|told| told.0 == name).unwrap().1;
            (of("residual_error"), of("normalized_error"))
        })
        .collect()
}

#[test]
fn the_bounds_hold_in_the_norms_of_the_applications() {
    for kind in [
        Kind::Cones(Feasibility::Infeasible),
        Kind::Semidefinite(Feasibility::Infeasible),
        Kind::Consensus { feasible: false },
    ] {
        for seed in 0..3 {
            let anchored = relative_errors(kind, seed, true, 500);
            let plain = relative_errors(kind, seed, false, 500);
            let mut before = f64::INFINITY;
            for k in 1..=500 {
                let (anchored, plain) = (anchored[k as usize - 1], plain[k as usize - 1]);
                let slack = 1e-12;
                assert!(anchored.0 <= halpern::residual_bound(k) + slack, "{kind:?} {seed} {k}");
                assert!(anchored.1 <= halpern::normalized_bound(k) + slack, "{kind:?} {seed} {k}");
                assert!(plain.0 <= plain::residual_bound(k, 0.5) + slack, "{kind:?} {seed} {k}");
                assert!(plain.1 <= plain::normalized_bound(k) + slack, "{kind:?} {seed} {k}");
                assert!(plain.0 <= before + slack);
                before = plain.0;
            }
        }
    }
}

#[test]
fn a_line_beside_a_cone_is_as_far_as_it_is() {
    // The line (2, s, 1) and ‖(x_1, x_2)‖ <= x_3: nearest at (2, 0, 1) and (1.5, 0, 1.5).
    let matrix = nalgebra::DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    let program = ConeProgram::new(&matrix, &[2.0, 1.0], vec![Cone::SecondOrder(3)]);
    let (v, at) = program.gap(1000);
    let near = |found: &[f64], expected: &[f64]| {
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9), "{found:?} {expected:?}")
    };
    near(&v, &[0.5, 0.0, -0.5]);
    near(&at, &[2.0, 0.0, 1.0]);
    let problem = FixedPoint { operator: Box::new(program), start: vec![0.3, 1.0, -2.0] };
    let found = solve(&mut Plain::new(&problem, FixedPointOptions::default()).unwrap(), &problem, 100_000);
    assert!(found.reason.to_string().contains("infeasible"), "{}", found.reason);
    // bᵀy = 1 with Aᵀy = (y_1, 0, y_2) along (1, 0, -1): 2 y_1 + y_2 = 1.
    let vector = &found.values[9..];
    assert!(problem.operator.excluded(vector) > 1e5);
    assert!(
        (vector[0] - 1.0).abs() < 1e-3 && vector[1].abs() < 1e-12 && (vector[2] + 1.0).abs() < 1e-3,
        "{vector:?}"
    );
    // Turned round it proves nothing, nor does one that is not in the range of Aᵀ.
    assert_eq!(problem.operator.excluded(&[-1.0, 0.0, 1.0]), 0.0);
    assert_eq!(problem.operator.excluded(&[1.0, 0.1, -1.0]), 0.0);
    // On the edge of the cone rounding decides; beyond it nothing is left.
    assert!((1e13..1e15).contains(&problem.operator.excluded(&[1.0, 0.0, -1.0])));
    assert_eq!(problem.operator.excluded(&[1.0, 0.0, -1.1]), f64::INFINITY);
}

#[test]
fn two_agents_are_as_far_apart_as_their_balls() {
    // On a line, radius 1 about 0 and 0.5 about 4: x̄ = (1, 3.5), B x̄ = -2.5.
    let agents = Consensus::new(1, vec![0.0, 4.0], vec![1.0, 0.5], vec![(0, 1)]);
    let step = 0.9 / 2.0_f64.sqrt();
    let (v, at) = agents.gap(1000);
    assert!((v[2] - 2.5 * step).abs() < 1e-12 && v[..2] == [0.0, 0.0], "{v:?}");
    assert!((at[0] - 1.0).abs() < 1e-12 && (at[1] - 3.5).abs() < 1e-12, "{at:?}");
    let problem = FixedPoint { operator: Box::new(agents), start: vec![0.0; 3] };
    let found = solve(&mut Plain::new(&problem, ON_AND_ON).unwrap(), &problem, 1000);
    assert!((found.values[5] - 2.5 * step).abs() < 1e-9, "{:?}", found.values);
    // Either force parts them; nothing, or the other sign, does not.
    assert_eq!(problem.operator.excluded(&[0.0, 0.0, 1.0]), f64::INFINITY);
    assert_eq!(problem.operator.excluded(&[0.0, 0.0, -1.0]), 0.0);
    assert_eq!(problem.operator.excluded(&[0.0; 3]), 0.0);
}

#[test]
fn applications_are_certified_where_they_should_be_and_nowhere_else() {
    use Feasibility::{Feasible, Infeasible, Unbounded};
    for seed in 0..3 {
        for (kind, expected) in [
            (program(Infeasible), true),
            (program(Unbounded), true),
            (program(Feasible), false),
            (Kind::Cones(Infeasible), true),
            (Kind::Cones(Feasible), false),
            (Kind::Semidefinite(Infeasible), true),
            (Kind::Semidefinite(Feasible), false),
            (Kind::Consensus { feasible: false }, true),
            (Kind::Consensus { feasible: true }, false),
        ] {
            let (problem, truth) = kind.draw(seed).unwrap();
            for halpern in [false, true] {
                let options = FixedPointOptions::default();
                let mut solver: Box<dyn Solver<FixedPoint>> = if halpern {
                    Box::new(Halpern::new(&problem, options).unwrap())
                } else {
                    Box::new(Plain::new(&problem, options).unwrap())
                };
                let found = solve(&mut *solver, &problem, 4000);
                let claimed = found.reason.to_string().contains("infeasible");
                let told = kind.measure(&problem, &truth, &found.values);
                let certified = told.iter().find(|told| told.0 == "certified").unwrap().1 == 1.0;
                assert_eq!(claimed, certified, "{kind:?} {seed} {halpern}: {}", found.reason);
                // Halpern may need longer, but nobody may claim what is not so.
                assert!(expected || !claimed, "{kind:?} {seed} {halpern}: {}", found.reason);
                assert!(halpern || !expected || claimed, "{kind:?} {seed}: {}", found.reason);
            }
        }
    }
}

#[test]
fn a_weakly_infeasible_program_stays_undecided() {
    // Points of L near the cone are far out: v is 0, x_k grows like √k, and the estimates differ by as much as r itself, or a third of it.
    for seed in 0..4 {
        let (problem, _) = Kind::Cones(Feasibility::WeaklyInfeasible).draw(seed).unwrap();
        let options = FixedPointOptions::default();
        for (solver, apart) in [
            (&mut Plain::new(&problem, options.clone()).unwrap() as &mut dyn Solver<FixedPoint>, 1.0),
            (&mut Halpern::new(&problem, options).unwrap(), 1.0 / 3.0),
        ] {
            let found = solve(solver, &problem, 10_000);
            assert_eq!(found.reason, Reason::Budget);
            assert!(found.residuals[9999] < 0.1 * found.residuals[3] && found.residuals[9999] > 0.0);
            let told = Kind::Sets.measure(&problem, &Displacement { v: None, distance: 1.0 }, &found.values);
            let disagreement = told.iter().find(|told| told.0 == "disagreement").unwrap().1;
            assert!((disagreement - apart).abs() < 0.06, "seed {seed}: {disagreement}");
        }
    }
}

#[test]
fn matrices_are_projected_as_by_hand() {
    // [[1, 2], [2, 1]] has the eigenvalues 3 and -1 along (1, 1) and (1, -1): its positive part is 1.5 everywhere.
    let half = 2.0_f64.sqrt();
    let program = ConeProgram::new(
        &nalgebra::DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        &[1.0, -2.0],
        vec![Cone::Semidefinite(2)],
    );
    let mut point = [1.0, 2.0 * half, 1.0];
    program.on_cones(&mut point);
    let near = |found: &[f64], expected: &[f64]| {
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9), "{found:?} {expected:?}")
    };
    near(&point, &[1.5, 1.5 * half, 1.5]);
    // X_11 = 1 and X_22 = -2: the nearest positive semidefinite matrix has X_22 = 0, so that v = (0, 0, -2).
    let (v, at) = program.gap(1000);
    near(&v, &[0.0, 0.0, -2.0]);
    near(&at, &[1.0, 0.0, -2.0]);
    // bᵀy = 1: y = (0, -1/2), and -Aᵀy = (0, 0, 1/2) is on the edge of the cone; with 1/10 of the identity more it is inside.
    assert!(program.excluded(&[0.0, 0.0, -0.5]) > 1e12);
    assert_eq!(program.excluded(&[-0.1, 0.0, -0.6]), f64::INFINITY);
    assert!((program.excluded(&[0.1, 0.0, -0.55]) - (0.1 + 1.1) / 0.1).abs() < 1e-9);
    assert_eq!(program.excluded(&[0.0, 0.1, -0.5]), 0.0);
}

#[test]
fn certificates_of_linear_programs_exclude_what_they_exclude() {
    // x_1 + x_2 = -1 and x_1 - x_2 = 0: y = (-1, 0) has Aᵀy = (-1, -1) and bᵀy = 1; (-1, 1.5) has (0.5, -2.5) and excludes sums below 2.
    let matrix = nalgebra::DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 1.0, -1.0]);
    let program = LinearProgram::new(matrix, vec![-1.0, 0.0], vec![1.0, -1.0]);
    assert_eq!(program.excluded(&[0.0, 0.0, -1.0, 0.0]), f64::INFINITY);
    assert!((program.excluded(&[0.0, 0.0, -1.0, 1.5]) - 2.0).abs() < 1e-9);
    assert_eq!(program.excluded(&[0.0, 0.0, 1.0, 0.0]), 0.0);
    // The ray d = (0, 1) has cᵀd = -1 and A d = (1, -1): no dual solution of sum below 1.
    assert!((program.excluded(&[0.0, 1.0, 0.0, 0.0]) - 1.0).abs() < 1e-9);
    assert_eq!(program.excluded(&[0.0, 1.0, 1.0, 0.0]), 0.0);
    // Of a displacement the part that proves more is kept.
    let (mut vector, mut scratch) = ([0.0; 4], [0.0; 4]);
    assert_eq!(program.certificate(&[0.0, -1.0, 0.5, 0.0], &mut vector, &mut scratch), f64::INFINITY);
    assert_eq!(vector, [0.0, 0.0, -1.0, 0.0]);
    assert!((program.certificate(&[0.0, -2.0, -0.5, 0.0], &mut vector, &mut scratch) - 1.0).abs() < 1e-9);
    assert_eq!(vector, [0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn the_displacement_of_a_linear_program_is_the_least_residual() {
    // v = (0, -σ (b - A x̄)) with the least squares x̄ >= 0, here found by projected gradients in another way.
    let mut rng = Seeds::new(5).stream("lp");
    let program = LinearProgram::infeasible(6, 9, &mut rng);
    let residual = program.least_residual(200_000);
    let problem = FixedPoint { operator: Box::new(program), start: vec![0.0; 15] };
    let found = solve(&mut Plain::new(&problem, ON_AND_ON).unwrap(), &problem, 50_000);
    let step = found.values[15 + 9..30].iter().zip(&residual);
    for (v, left) in step {
        assert!((v + left).abs() < 1e-8, "{v} {left}");
    }
    assert!(found.values[15..15 + 9].iter().all(|v| v.abs() < 1e-8));
}

#[test]
fn nonexpansive_in_the_norms_of_the_applications() {
    let mut rng = Seeds::new(3).stream("operators");
    let operators: [Box<dyn Operator>; 3] = [
        Box::new(ConeProgram::infeasible(5, &[Cone::SecondOrder(4); 3], &mut rng)),
        Box::new(Consensus::draw(6, 2, false, &mut rng)),
        Box::new(ConeProgram::infeasible(6, &[Cone::Semidefinite(3), Cone::SecondOrder(3)], &mut rng)),
    ];
    for operator in operators {
        let n = operator.dimension();
        let point = |shift: f64| (0..n).map(|i| (shift + i as f64 * 1.7).sin() * 3.0).collect::<Vec<f64>>();
        for (a, b) in [(0.0, 1.0), (2.0, -4.0), (10.0, 11.0)] {
            let (x, y) = (point(a), point(b));
            let (mut tx, mut ty) = (vec![0.0; n], vec![0.0; n]);
            operator.apply(&x, &mut tx);
            operator.apply(&y, &mut ty);
            let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
            let (before, after) = (apart(&x, &y), apart(&tx, &ty));
            // Half-averaged: ‖Tx - Ty‖² + ‖(x - Tx) - (y - Ty)‖² <= ‖x - y‖².
            let moved = apart(&before, &after);
            let sum = operator.square(&after) + operator.square(&moved);
            assert!(sum <= operator.square(&before) * (1.0 + 1e-12), "{sum}");
        }
    }
}
