//! What the tape promises: what is recorded, what is shared, what is refused.

use quire_core::Seeds;
use quire_nn::{
    Activation, Attention, CausalTransformer, Init, Mlp, MlpConfig, Params, Scratch, Tape, TransformerConfig,
};

fn small() -> (Params<f32>, Mlp) {
    let mut rng = Seeds::new(3).stream("init");
    let mut params = Params::new();
    let config = MlpConfig { sizes: vec![4, 120, 84, 2], ensemble: 3, ..MlpConfig::default() };
    let mlp = Mlp::new(&mut params, "q", &config, &mut rng);
    (params, mlp)
}

#[test]
fn values_worked_by_hand() {
    let mut tape = Tape::<f64>::new(1);
    let graph = tape.graph();
    let x = graph.variable(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let w = graph.variable(&[1, 2, 1], &[10.0, -1.0]);
    let b = graph.variable(&[1, 1], &[-10.0]);
    // 10 - 2 - 10 = -2 -> 0; 30 - 4 - 10 = 16
    let y = x.linear(w, Some(b), Activation::Relu);
    assert_eq!((y.shape(), y.data()), (&[2, 1][..], &[0.0, 16.0][..]));
    let [dx, dw, db] = y.sum().grad(&[x, w, b]);
    assert_eq!(dx.data(), [0.0, 0.0, 10.0, -1.0]);
    assert_eq!(dw.data(), [3.0, 4.0]);
    assert_eq!(db.data(), [1.0]);

    assert_eq!(x.matmul(x).data(), [7.0, 10.0, 15.0, 22.0]);
    assert_eq!(x.matmul_with(x, true, false).data(), [10.0, 14.0, 14.0, 20.0]);
    assert_eq!((x.sum().item(), x.mean().item()), (10.0, 2.5));
    assert_eq!(x.sum_axis(0, false).data(), [4.0, 6.0]);
    assert_eq!(x.mean_axis(1, true).data(), [1.5, 3.5]);
    let (max, at) = graph.constant(&[2, 3], &[1.0, 5.0, 5.0, -1.0, -2.0, -3.0]).max_axis(-1, false);
    assert_eq!((max.data(), at), (&[5.0, -1.0][..], &[1, 0][..]));
    assert_eq!(x.gather(&[1usize, 0]).data(), [2.0, 3.0]);
    assert_eq!(graph.constant(&[3], &[-3.0, 0.5, 3.0]).huber(1.0).data(), [2.5, 0.125, 2.5]);
    let half = graph.constant(&[1, 2], &[0.0, 3f64.ln()]);
    assert!((half.softmax().data()[1] - 0.75).abs() < 1e-15);
    assert!((half.log_softmax().data()[0] - 0.25f64.ln()).abs() < 1e-15);
    assert!((half.logsumexp(false).item() - 4f64.ln()).abs() < 1e-15);
    assert_eq!(graph.constant(&[2], &[1000.0, 1000.0]).logsumexp(false).item(), 1000.0 + 2f64.ln());
    assert_eq!(graph.constant(&[2], &[f64::NEG_INFINITY; 2]).logsumexp(false).item(), f64::NEG_INFINITY);
    assert_eq!(x.permute(&[1, 0]).data(), [1.0, 3.0, 2.0, 4.0]);
    assert_eq!(x.slice(1, 1..2).data(), [2.0, 4.0]);
    assert_eq!(graph.concat(&[x, x.slice(1, 0..1)], 1).data(), [1.0, 2.0, 1.0, 3.0, 4.0, 3.0]);
    assert_eq!((x - graph.constant(&[2, 1], &[1.0, 3.0])).data(), [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(x.clamp(1.5, 3.5).data(), [1.5, 2.0, 3.0, 3.5]);
    assert_eq!((6.0 / x).data(), [6.0, 3.0, 2.0, 1.5]);
}

#[test]
fn fused_operations_by_hand() {
    let mut tape = Tape::<f64>::new(1);
    let graph = tape.graph();
    let close = |got: &[f64], wanted: &[f64]| {
        assert_eq!(got.len(), wanted.len());
        got.iter().zip(wanted).for_each(|(g, w)| assert!((g - w).abs() < 1e-12, "{got:?}, not {wanted:?}"));
    };
    // Mean 2 and variance 8/3; with epsilon 4/3 the deviation is 2.
    let row = graph.constant(&[1, 3], &[0.0, 2.0, 4.0]);
    let (w, b) = (graph.constant(&[3], &[1.0, 1.0, 10.0]), graph.constant(&[3], &[0.5, 0.0, 0.0]));
    close(row.layer_norm(Some(w), Some(b), 4.0 / 3.0, Activation::None).data(), &[-0.5, 0.0, 10.0]);
    close(row.layer_norm(Some(w), Some(b), 4.0 / 3.0, Activation::Relu).data(), &[0.0, 0.0, 10.0]);
    let pair = graph.constant(&[1, 2], &[3.0, 4.0]);
    close(pair.rms_norm(None, 12.5).data(), &[0.6, 0.8]);
    // Two positions, one head of width 1: the second sees both with scores 0 and ln 3.
    let one = |x: &[f64]| graph.constant(&[1, 2, 1], x);
    let attended = one(&[7.0, 1.0]).attention(one(&[0.0, 3f64.ln()]), one(&[8.0, 4.0]), Attention::causal(1));
    close(attended.data(), &[8.0, 0.25 * 8.0 + 0.75 * 4.0]);
    // With base 1 the angle is the position.
    let turned = graph.constant(&[1, 2], &[1.0, 0.0]).rotate(graph.rotary(&[1], 2, 1.0));
    close(turned.data(), &[1f64.cos(), 1f64.sin()]);
    // A 2 x 2 kernel that adds the diagonal, on 1 .. 9.
    let image = graph.constant(&[1, 1, 3, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let kernel = graph.constant(&[1, 1, 2, 2], &[1.0, 0.0, 0.0, 1.0]);
    let bias = graph.constant(&[1], &[0.5]);
    close(image.conv2d(kernel, Some(bias), [1, 1], [0, 0]).data(), &[6.5, 8.5, 12.5, 14.5]);
    close(image.conv2d(kernel, None, [2, 2], [1, 1]).data(), &[1.0, 3.0, 7.0, 14.0]);
    close(image.max_pool2d([2, 2], [1, 1]).data(), &[5.0, 6.0, 8.0, 9.0]);
    close(image.avg_pool2d([2, 2], [1, 1]).data(), &[3.0, 4.0, 6.0, 7.0]);
    let small = graph.constant(&[1, 2, 1, 2], &[1.0, 2.0, 3.0, 4.0]).upsample2d([2, 3]);
    assert_eq!(small.shape(), [1, 2, 2, 6]);
    close(
        small.data(),
        &[[1.0, 1.0, 1.0, 2.0, 2.0, 2.0].repeat(2), [3.0, 3.0, 3.0, 4.0, 4.0, 4.0].repeat(2)].concat(),
    );
    close(row.cumsum(-1).data(), &[0.0, 2.0, 6.0]);
    close(row.masked_fill(&[true, false, false], -1.0).data(), &[-1.0, 2.0, 4.0]);
    close(row.where_mask(&[true, false, true], row * 10.0).data(), &[0.0, 20.0, 4.0]);
    // Even odds between four classes: ln 4 each, whatever the weights.
    let even = graph.zeros(&[2, 4]);
    close(even.log_prob(&[0usize, 3]).data(), &[-(4f64.ln()); 2]);
    close(even.cross_entropy(&[0usize, 9], Some(9), None).data(), &[4f64.ln()]);
    close(even.cross_entropy(&[0usize, 1], None, Some(&[1.0, 3.0, 1.0, 1.0])).data(), &[4f64.ln()]);
    close(graph.constant(&[3], &[-1.0, 0.0, 2.0]).leaky_relu(0.1).data(), &[-0.1, 0.0, 2.0]);
    close(graph.constant(&[2], &[2.0, 3.0]).pow(-1.0).data(), &[0.5, 1.0 / 3.0]);
    close(graph.constant(&[1], &[0.0]).softplus().data(), &[2f64.ln()]);
    close(graph.constant(&[1], &[0.0]).normal_cdf().data(), &[0.5]);
}

#[test]
fn padding_changes_nothing() {
    let config = TransformerConfig::llama(11, 32, 16, 2, 2);
    let mut rng = Seeds::new(3).stream("init");
    let mut params = Params::<f64>::new();
    let model = CausalTransformer::new(&mut params, "m", &config, &mut rng).unwrap();
    let mut tape = Tape::new(1);
    let graph = tape.graph();
    let padded = model.forward(graph, &params, &[1usize, 2, 3, 0, 0, 4, 5, 6, 7, 8], 2, Some(&[3, 5]), None);
    let alone = model.forward(graph, &params, &[1usize, 2, 3], 1, None, None);
    assert_eq!(padded.slice(0, 0..1).slice(1, 0..3).data(), alone.data());
}

#[test]
fn configurations_that_do_not_fit_are_named() {
    let mut rng = Seeds::new(3).stream("init");
    let mut refused = |change: fn(&mut TransformerConfig)| {
        let mut config = TransformerConfig::llama(11, 32, 16, 2, 2);
        change(&mut config);
        CausalTransformer::new(&mut Params::<f32>::new(), "m", &config, &mut rng).unwrap_err().to_string()
    };
    assert_eq!(refused(|c| c.layers = 0), "option `layers`: 0, must be at least 1");
    assert_eq!(refused(|c| (c.heads, c.kv_heads) = (6, 4)), "option `kv_heads`: 4, must divide the 6 heads");
    assert!(refused(|c| c.head_width = 7).starts_with("option `head_width`: odd"));
    assert!(refused(|c| c.dropout = 1.0).starts_with("option `dropout`: 1, must be"));
}

#[test]
fn only_what_depends_on_parameters_is_recorded() {
    let (params, mlp) = small();
    let mut tape = Tape::new(1);
    let graph = tape.graph();
    let x = graph.constant(&[5, 4], &[0.3; 20]);
    assert!(!(x * 2.0).is_recorded());
    assert!(mlp.forward(graph, &params, x).is_recorded());
    assert!(!graph.no_grad(|| mlp.forward(graph, &params, x)).is_recorded());
    assert!(!mlp.forward(graph, &params, x).detach().is_recorded());
}

#[test]
fn gradients_go_to_the_sets_that_are_asked_for() {
    let (critic_params, critic) = small();
    let mut rng = Seeds::new(4).stream("init");
    let mut actor_params = Params::<f32>::new();
    let config = MlpConfig { sizes: vec![3, 8, 4], ..MlpConfig::default() };
    let actor = Mlp::new(&mut actor_params, "actor", &config, &mut rng);
    let unused = actor_params.add("unused", &[2], Init::Zeros, &mut rng);
    let mut tape = Tape::new(1);
    let mut alone = vec![f32::NAN; actor_params.len()];
    let mut actor_gradient = vec![f32::NAN; actor_params.len()];
    let mut critic_gradient = vec![f32::NAN; critic_params.len()];
    let graph = tape.graph();
    let state = graph.constant(&[6, 3], &std::array::from_fn::<f32, 18, _>(|i| (i as f32).sin()));
    let action = actor.forward(graph, &actor_params, state);
    // The critic is entered twice: its gradient has two contributions.
    let first = critic.forward(graph, &critic_params, action).mean();
    let second = critic.forward(graph, &critic_params, action * 0.5).mean();
    let loss = first + second;
    loss.gradient(&actor_params, &mut alone);
    loss.gradients(&mut [(&actor_params, &mut actor_gradient), (&critic_params, &mut critic_gradient)]);
    assert_eq!(alone, actor_gradient);
    assert_eq!(alone[unused.range()], [0.0, 0.0]);
    assert!(critic_gradient.iter().all(|g| g.is_finite()));
    let mut one = vec![0.0; critic_params.len()];
    let mut two = vec![0.0; critic_params.len()];
    first.gradient(&critic_params, &mut one);
    second.gradient(&critic_params, &mut two);
    for ((a, b), sum) in one.iter().zip(&two).zip(&critic_gradient) {
        assert!((a + b - sum).abs() < 1e-6);
    }
}

#[test]
fn acting_without_the_tape_is_the_forward_pass() {
    let (params, mlp) = small();
    let mut tape = Tape::new(1);
    let mut scratch = Scratch::new();
    let x: Vec<f32> = (0..20).map(|i| (i as f32 * 0.7).sin()).collect();
    let graph = tape.graph();
    let y = mlp.forward(graph, &params, graph.constant(&[5, 4], &x));
    assert_eq!(y.shape(), [3, 5, 2]);
    let batch = mlp.infer_batch(&params, &x, &mut scratch).to_vec();
    for (a, b) in batch.iter().zip(y.data()) {
        assert!((a - b).abs() < 1e-6);
    }
    for row in 0..5 {
        let one = mlp.infer(&params, &x[row * 4..row * 4 + 4], &mut scratch);
        for e in 0..3 {
            for o in 0..2 {
                assert!((one[e * 2 + o] - batch[(e * 5 + row) * 2 + o]).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn an_ensemble_is_its_members_side_by_side() {
    let (params, mlp) = small();
    let mut tape = Tape::new(1);
    let x: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let graph = tape.graph();
    let together = mlp.forward(graph, &params, graph.constant(&[3, 4], &x));
    let copied = graph.constant(&[1, 3, 4], &x).broadcast_to(&[3, 3, 4]);
    assert_eq!(mlp.forward(graph, &params, copied).data(), together.data());
    // A member alone: its slices of the parameters in a set of its own.
    let mut rng = Seeds::new(0).stream("init");
    let mut own = Params::new();
    let config = MlpConfig { sizes: mlp.sizes().to_vec(), ..MlpConfig::default() };
    let single = Mlp::new(&mut own, "q", &config, &mut rng);
    for e in 0..3 {
        let layout: Vec<_> = params.layout().map(|(_, view)| view).collect();
        let slots: Vec<_> = own.layout().map(|(_, view)| view).collect();
        for (from, to) in layout.iter().zip(slots) {
            let n = to.len();
            own.view_mut(to).copy_from_slice(&params.view(*from)[e * n..(e + 1) * n]);
        }
        let alone = single.infer_batch(&own, &x, &mut Scratch::new()).to_vec();
        assert_eq!(alone, together.data()[e * 6..(e + 1) * 6]);
    }
}

#[test]
#[should_panic(expected = "zip_map has no second derivative")]
fn a_missing_second_derivative_is_named() {
    let mut tape = Tape::<f64>::new(1);
    let graph = tape.graph();
    let x = graph.variable(&[2], &[1.0, 2.0]);
    x.zip_map(x, |a, b| a * b, |_, b| b, |a, _| a).sum().grad(&[x]);
}

#[test]
#[should_panic(expected = "the loss depends on nothing")]
fn a_constant_loss_is_refused() {
    let (params, _) = small();
    let mut tape = Tape::<f32>::new(1);
    let loss = tape.graph().zeros(&[]);
    loss.gradient(&params, &mut vec![0.0; params.len()]);
}

#[test]
#[should_panic(expected = "linear: an input of shape [5, 3] does not fit a weight of shape [3, 4, 120]")]
fn shapes_are_named() {
    let (params, mlp) = small();
    let mut tape = Tape::<f32>::new(1);
    let graph = tape.graph();
    mlp.forward(graph, &params, graph.zeros(&[5, 3]));
}
