use nalgebra::DMatrix;
use quire_core::Seeds;
use quire_kernels::pool::Pool;

use super::*;

fn normal(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

const SECOND: Fit = Fit { step: 0.1, normalizer: Normalizer::Second, smoothing: 0.0 };

/// P as a matrix, column by column.
fn matrix(preconditioner: &mut dyn Preconditioner<f64>, n: usize) -> DMatrix<f64> {
    let mut p = DMatrix::zeros(n, n);
    for j in 0..n {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        let mut column = vec![0.0; n];
        preconditioner.apply(&unit, &mut column);
        p.set_column(j, &nalgebra::DVector::from_vec(column));
    }
    p
}

/// One of every group over `n` parameters, which a Kronecker product sees as an n/4 x 4 weight.
fn every_group(n: usize) -> Vec<(&'static str, Box<dyn Preconditioner<f64>>)> {
    let mut layout = Layout::default();
    layout.push("weight", &[1, n / 4, 4]);
    vec![
        ("diagonal", Box::new(diagonal::Diagonal::new(n))),
        ("x-shaped", Box::new(x_shaped::XShaped::new(n))),
        ("low-rank", Box::new(low_rank::LowRank::new(n, 3, Seeds::new(1)))),
        ("kronecker", Box::new(kronecker::Kronecker::new(&layout, 100, &Pool::new(2)))),
        ("dense", Box::new(dense::Dense::new(n))),
        ("triangular", Box::new(dense::Triangular::new(n))),
    ]
}

#[test]
fn one_parameter_follows_the_formula_in_every_group_that_has_one() {
    // q <- q (1 - step (q²h² - v²/q²) / (q²h² + v²/q²)), from q = first_scale.
    let pairs = [(0.7, 2.0), (-1.3, 0.4), (0.2, -3.0)];
    let mut q = first_scale(&[0.7], &[2.0]);
    let mut groups: Vec<Box<dyn Preconditioner<f64>>> = vec![
        Box::new(diagonal::Diagonal::new(1)),
        Box::new(low_rank::LowRank::new(1, 0, Seeds::new(0))),
        Box::new(dense::Dense::new(1)),
        Box::new(dense::Triangular::new(1)),
    ];
    let mut rng = Seeds::new(0).stream("fit");
    for (v, h) in pairs {
        let (a, b): (f64, f64) = ((q * h) * (q * h), (v / q) * (v / q));
        q *= 1.0 - 0.1 * (a - b) / (a + b);
        for group in &mut groups {
            group.fit(&[v], &[h], SECOND, &mut rng);
            let mut out = [0.0];
            group.apply(&[1.0], &mut out);
            assert!((out[0] - q * q).abs() < 1e-13, "{} and {}", out[0], q * q);
        }
    }
    // The fixed point: P = |v / h|.
    let mut diagonal = diagonal::Diagonal::new(1);
    (0..400).for_each(|_| diagonal.fit(&[3.0], &[-2.0], SECOND, &mut rng));
    let mut out = [0.0];
    diagonal.apply(&[1.0], &mut out);
    assert!((out[0] - 1.5).abs() < 1e-12);
}

#[test]
fn a_positive_definite_diagonal_hessian_is_inverted_by_every_group() {
    let n = 8;
    // A Kronecker product of diagonals, so that all groups can hold the answer.
    let hessian: Vec<f64> = (0..n).map(|i| [0.5, 4.0][i / 4] * [1.0, 2.0, 3.0, 8.0][i % 4]).collect();
    for (name, mut group) in every_group(n) {
        let mut rng = Seeds::new(2).stream("pairs");
        for _ in 0..6000 {
            let v = normal(n, &mut rng);
            let h: Vec<f64> = v.iter().zip(&hessian).map(|(v, h)| v * h).collect();
            group.fit(&v, &h, Fit { step: 0.5, ..SECOND }, &mut rng);
        }
        let p = matrix(&mut *group, n);
        for i in 0..n {
            for j in 0..n {
                let wanted = if i == j { 1.0 } else { 0.0 };
                let got = p[(i, j)] * hessian[j];
                assert!((got - wanted).abs() < 1e-3, "{name}: {got} at {i}, {j}");
            }
        }
    }
}

#[test]
fn an_indefinite_hessian_is_inverted_in_magnitude() {
    let (n, mut rng) = (4, Seeds::new(3).stream("pairs"));
    let noise = normal(n * n, &mut rng);
    let orthogonal = DMatrix::from_row_slice(n, n, &noise).qr().q();
    let values = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![1.0, -2.0, 0.5, -4.0]));
    let hessian = &orthogonal * &values * orthogonal.transpose();
    let magnitude = &orthogonal * values.abs() * orthogonal.transpose();
    let mut group = dense::Dense::new(n);
    // Unlike those of a positive definite one, its pairs still pull at the solution, so that the error is about the root of the step.
    for (count, step) in [(2000, 0.1), (10_000, 0.01), (40_000, 0.0005)] {
        for _ in 0..count {
            let v = normal(n, &mut rng);
            let h = &hessian * nalgebra::DVector::from_vec(v.clone());
            group.fit(&v, h.as_slice(), Fit { step, ..SECOND }, &mut rng);
        }
    }
    let error = (matrix(&mut group, n) * magnitude - DMatrix::identity(n, n)).norm();
    assert!(error < 0.1, "{error}");
}

/// ‖P |H| - I‖ on the tridiagonal Hessian (1, off 0.5) of 20 parameters, after so many noise-free pairs.
fn tridiagonal(group: &mut dyn Preconditioner<f64>, step: f64, at: &[usize]) -> Vec<f64> {
    let n = 20;
    let hessian = DMatrix::from_fn(n, n, |i, j| {
        if i == j {
            1.0
        } else if i.abs_diff(j) == 1 {
            0.5
        } else {
            0.0
        }
    });
    let mut rng = Seeds::new(4).stream("pairs");
    let mut errors = Vec::new();
    for count in 1..=*at.last().unwrap() {
        let v = normal(n, &mut rng);
        let h = &hessian * nalgebra::DVector::from_vec(v.clone());
        group.fit(&v, h.as_slice(), Fit { step, normalizer: Normalizer::Second, smoothing: 0.0 }, &mut rng);
        if at.contains(&count) {
            errors.push((matrix(group, n) * &hessian - DMatrix::identity(n, n)).norm());
        }
    }
    errors
}

#[test]
fn the_fit_converges_linearly_without_noise() {
    // A prototype's run of GL(n), one seed: 0.35, 8e-3, 1e-5 after 2,000, 5,000 and 10,000 pairs; triangular with step 2 alike.
    for (mut group, step) in [
        (Box::new(dense::Dense::new(20)) as Box<dyn Preconditioner<f64>>, 1.0),
        (Box::new(dense::Triangular::new(20)), 2.0),
    ] {
        let errors = tridiagonal(&mut *group, step, &[2000, 5000, 10_000]);
        for (got, wanted) in errors.iter().zip([0.35, 8e-3, 1e-5]) {
            assert!(*got < 4.0 * wanted && *got > wanted / 20.0, "{got}, about {wanted}");
        }
    }
}

#[test]
fn gl_n_does_the_same_in_other_coordinates() {
    let (n, mut rng) = (5, Seeds::new(5).stream("pairs"));
    let noise = DMatrix::from_row_slice(n, n, &normal(n * n, &mut rng));
    let change: DMatrix<f64> = noise + DMatrix::identity(n, n) * 3.0;
    let inverse = change.clone().try_inverse().unwrap();
    let rows = |m: &DMatrix<f64>| m.transpose().as_slice().to_vec();
    let (mut plain, mut changed) = (dense::Dense::new(n), dense::Dense::new(n));
    plain.set(rows(&DMatrix::identity(n, n)), rows(&DMatrix::identity(n, n)));
    changed.set(rows(&change.transpose()), rows(&inverse.transpose()));
    for _ in 0..200 {
        let (v, h) = (normal(n, &mut rng), normal(n, &mut rng));
        plain.fit(&v, &h, SECOND, &mut rng);
        let of_v = &change * nalgebra::DVector::from_vec(v);
        let of_h = inverse.transpose() * nalgebra::DVector::from_vec(h);
        changed.fit(of_v.as_slice(), of_h.as_slice(), SECOND, &mut rng);
    }
    let wanted = DMatrix::from_row_slice(n, n, plain.q()) * change.transpose();
    let error = (DMatrix::from_row_slice(n, n, changed.q()) - wanted).norm();
    assert!(error < 1e-8, "{error}");
}

#[test]
fn a_diagonal_is_a_low_rank_of_rank_zero() {
    let n = 7;
    let (mut diagonal, mut low_rank) =
        (diagonal::Diagonal::new(n), low_rank::LowRank::new(n, 0, Seeds::new(0)));
    let mut rng = Seeds::new(6).stream("pairs");
    for _ in 0..100 {
        let (v, h) = (normal(n, &mut rng), normal(n, &mut rng));
        diagonal.fit(&v, &h, SECOND, &mut rng);
        low_rank.fit(&v, &h, SECOND, &mut rng);
    }
    assert!((matrix(&mut diagonal, n) - matrix(&mut low_rank, n)).norm() < 1e-9);
}

#[test]
fn preconditioners_are_symmetric_and_positive_after_any_pairs() {
    let n = 8;
    for (name, mut group) in every_group(n) {
        let mut rng = Seeds::new(7).stream("pairs");
        for _ in 0..500 {
            let (v, h) = (normal(n, &mut rng), normal(n, &mut rng));
            group.fit(&v, &h, Fit { step: 0.9, ..SECOND }, &mut rng);
            let p = matrix(&mut *group, n);
            assert!((&p - p.transpose()).norm() < 1e-9 * p.norm(), "{name}");
            assert!(p.symmetric_eigenvalues().iter().all(|&value| value > 0.0), "{name}");
        }
    }
}

#[test]
fn a_pair_without_curvature_changes_nothing_that_matters() {
    for (name, mut group) in every_group(8) {
        let mut rng = Seeds::new(8).stream("pairs");
        group.fit(&[0.0; 8], &[0.0; 8], SECOND, &mut rng);
        assert!(matrix(&mut *group, 8).iter().all(|p| p.is_finite()), "{name}");
    }
}

#[test]
fn whitening_makes_all_gradients_alike() {
    // Independent gradients of deviation 10, 1 and 0.1: P g has deviation 1 each.
    let options =
        PsgdOptions { group: Group::Diagonal, smoothing: 0.0, fit_step: 0.002, ..PsgdOptions::default() };
    let setting = OptimizerSetting::new(Seeds::new(9));
    let mut psgd = Psgd::<f64>::new(&options, &Layout::flat(3), &setting);
    let mut rng = Seeds::new(9).stream("gradients");
    for _ in 0..40_000 {
        let mut gradient = normal(3, &mut rng);
        gradient.iter_mut().zip([10.0, 1.0, 0.1]).for_each(|(g, scale)| *g *= scale);
        psgd.fit_to_gradient(&gradient);
    }
    let mut out = [0.0; 3];
    psgd.preconditioner.apply(&[10.0, 1.0, 0.1], &mut out);
    for out in out {
        assert!((out - 1.0).abs() < 0.15, "{out}");
    }
}

#[test]
fn the_direction_is_limited() {
    let options =
        PsgdOptions { largest_mean: Some(1.0), largest_element: Some(1.2), ..PsgdOptions::default() };
    let mut psgd = Psgd::<f64>::new(&options, &Layout::flat(4), &OptimizerSetting::new(Seeds::new(0)));
    // P starts near the identity. The root mean square of (3, 0, 0, 0) is 1.5, which leaves (2, 0, 0, 0); then 1.2.
    let mut params = [0.0; 4];
    psgd.descend(1.0, &mut params, &[3.0, 0.0, 0.0, 0.0]);
    assert!((params[0] + 1.2).abs() < 1e-12 && params[1].abs() < 0.2, "{params:?}");
}
