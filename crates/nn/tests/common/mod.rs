//! Gradients against finite differences, in double precision.
#![allow(dead_code)] // not every test file uses all of it

use quire_core::Seeds;
use quire_nn::{Graph, Init, Params, Tape, Tensor, View};

/// An expression of several inputs, to be reduced to one number.
pub type Expression = for<'g> fn(Graph<'g, f64>, &[Tensor<'g, f64>]) -> Tensor<'g, f64>;

/// Normal numbers of these shapes.
pub fn inputs(shapes: &[&[usize]], seed: u64) -> (Params<f64>, Vec<View>) {
    let mut rng = Seeds::new(seed).stream("inputs");
    let mut params = Params::new();
    let views = shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| params.add(format!("x{i}"), shape, Init::Normal { std: 1.0 }, &mut rng))
        .collect();
    (params, views)
}

/// A number that every element of `y` sways differently.
pub fn weigh<'g>(y: Tensor<'g, f64>) -> Tensor<'g, f64> {
    let weights: Vec<f64> = (0..y.len()).map(|i| ((i * 7 + 3) % 11) as f64 / 5.0 - 0.9).collect();
    (y * y.graph().constant(y.shape(), &weights)).sum()
}

fn enter<'g>(graph: Graph<'g, f64>, params: &'g Params<f64>, views: &[View]) -> Vec<Tensor<'g, f64>> {
    views.iter().map(|view| graph.param(params, *view)).collect()
}

pub fn value(tape: &mut Tape<f64>, params: &Params<f64>, views: &[View], f: Expression) -> f64 {
    let graph = tape.graph();
    weigh(f(graph, &enter(graph, params, views))).item()
}

pub fn gradient(tape: &mut Tape<f64>, params: &Params<f64>, views: &[View], f: Expression) -> Vec<f64> {
    let graph = tape.graph();
    let loss = weigh(f(graph, &enter(graph, params, views)));
    let mut gradient = vec![f64::NAN; params.len()];
    loss.gradient(params, &mut gradient);
    gradient
}

/// The gradient of the first input alone, from a recorded pass.
fn recorded(tape: &mut Tape<f64>, params: &Params<f64>, views: &[View], f: Expression) -> Vec<f64> {
    let graph = tape.graph();
    let tensors = enter(graph, params, views);
    let loss = weigh(f(graph, &tensors));
    let mut all = Vec::new();
    for x in tensors {
        all.extend_from_slice(loss.grad(&[x])[0].data());
    }
    all
}

/// The gradient of the inner product of the gradient with `direction`: a Hessian-vector product.
fn hessian_vector(
    tape: &mut Tape<f64>,
    params: &Params<f64>,
    views: &[View],
    f: Expression,
    direction: &[f64],
) -> Vec<f64> {
    let graph = tape.graph();
    let tensors = enter(graph, params, views);
    let loss = weigh(f(graph, &tensors));
    let mut dot = graph.zeros(&[]);
    for (x, view) in tensors.iter().zip(views) {
        let along = graph.constant(&view.shape, &direction[view.range()]);
        dot = dot + (loss.grad(&[*x])[0] * along).sum();
    }
    if !dot.is_recorded() {
        return vec![0.0; params.len()];
    }
    let mut product = vec![f64::NAN; params.len()];
    dot.gradient(params, &mut product);
    product
}

fn differences(x: &Params<f64>, mut f: impl FnMut(&Params<f64>) -> f64) -> Vec<f64> {
    let mut moved = x.clone();
    (0..x.len())
        .map(|i| {
            let h = 1e-6 * (1.0 + x.data()[i].abs());
            let mut at = |dx: f64| {
                moved.data_mut()[i] = x.data()[i] + dx;
                let y = f(&moved);
                moved.data_mut()[i] = x.data()[i];
                y
            };
            (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
        })
        .collect()
}

pub fn assert_close(name: &str, got: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "{name}: number {i} is {g}, should be {w}");
    }
}

/// First derivatives of an expression, by both kinds of pass, against finite differences.
pub fn check_first(name: &str, shapes: &[&[usize]], f: Expression) -> (Params<f64>, Vec<View>) {
    let (params, views) = inputs(shapes, 11);
    let mut tape = Tape::new(1);
    let exact = gradient(&mut tape, &params, &views, f);
    let estimate = differences(&params, |x| value(&mut tape, x, &views, f));
    assert_close(name, &exact, &estimate, 1e-7);
    (params, views)
}

/// First and second derivatives of an expression against finite differences.
pub fn check(name: &str, shapes: &[&[usize]], f: Expression) {
    let (params, views) = check_first(name, shapes, f);
    let mut tape = Tape::new(1);
    let exact = gradient(&mut tape, &params, &views, f);
    assert_close(name, &recorded(&mut tape, &params, &views, f), &exact, 1e-12);
    let direction: Vec<f64> = (0..params.len()).map(|i| ((i * 5 + 2) % 7) as f64 / 3.0 - 1.0).collect();
    let product = hessian_vector(&mut tape, &params, &views, f, &direction);
    let estimate = differences(&params, |x| {
        gradient(&mut tape, x, &views, f).iter().zip(&direction).map(|(g, d)| g * d).sum()
    });
    assert_close(&format!("{name}, second derivative"), &product, &estimate, 1e-6);
}
