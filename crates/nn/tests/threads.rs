//! The bits of every result are the same for every number of threads.

use quire_core::Seeds;
use quire_nn::{
    Activation, CausalTransformer, Conv2d, DropoutKey, Mlp, MlpConfig, Params, Tape, TransformerConfig,
};

/// Several training steps of an ensemble, large enough that everything that can be cut up is.
fn train(threads: usize, ensemble: usize, batch: usize) -> Vec<u32> {
    let mut rng = Seeds::new(1).stream("init");
    let mut params = Params::<f32>::new();
    let config = MlpConfig {
        sizes: vec![17, 256, 200, 6],
        ensemble,
        activation: Activation::Gelu,
        ..MlpConfig::default()
    };
    let mlp = Mlp::new(&mut params, "q", &config, &mut rng);
    let mut gradient = vec![0.0; params.len()];
    let observations: Vec<f32> = (0..batch * 17).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut tape = Tape::new(threads);
    let mut bits = Vec::new();
    for _ in 0..3 {
        let graph = tape.graph();
        let x = graph.constant(&[batch, 17], &observations);
        let q = mlp.forward(graph, &params, x);
        let loss =
            q.log_softmax().gather(&[1usize]).square().mean() + (q * q).softmax().square().sum() * 1e-3;
        bits.push(loss.item().to_bits());
        loss.gradient(&params, &mut gradient);
        params.data_mut().iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.01 * g);
    }
    bits.extend(params.data().iter().map(|x| x.to_bits()));
    bits
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for (ensemble, batch) in [(1, 300), (1, 5000), (3, 700), (5, 100)] {
        let one = train(1, ensemble, batch);
        assert_eq!(train(2, ensemble, batch), one, "2 threads, {ensemble} members, batch {batch}");
        assert_eq!(train(3, ensemble, batch), one, "3 threads, {ensemble} members, batch {batch}");
    }
}

/// A critic with dropout and normalization, a convolution and a transformer, one step each.
fn others(threads: usize) -> Vec<u32> {
    let mut rng = Seeds::new(1).stream("init");
    let mut params = Params::<f32>::new();
    let config = MlpConfig {
        sizes: vec![17, 256, 256, 1],
        ensemble: 2,
        layer_norm: true,
        dropout: 0.1,
        ..MlpConfig::default()
    };
    let mlp = Mlp::new(&mut params, "q", &config, &mut rng);
    let conv = Conv2d::new(&mut params, "conv", [3, 8], [3, 3], [2, 2], [1, 1], &mut rng);
    let config = TransformerConfig { dropout: 0.1, ..TransformerConfig::llama(50, 80, 64, 2, 4) };
    let model = CausalTransformer::new(&mut params, "m", &config, &mut rng).unwrap();
    let numbers = |n: usize| -> Vec<f32> { (0..n).map(|i| (i as f32 * 0.37).sin()).collect() };
    let symbols: Vec<usize> = (0..8 * 80).map(|i| i * i % 50).collect();
    let mut gradient = vec![0.0; params.len()];
    let mut tape = Tape::new(threads);
    let mut bits = Vec::new();
    for step in 0..2 {
        let key = DropoutKey { stream: 5, step };
        let graph = tape.graph();
        let x = graph.constant(&[256, 17], &numbers(256 * 17));
        let image = graph.constant(&[20, 3, 21, 21], &numbers(20 * 3 * 21 * 21));
        let q = mlp.forward_dropout(graph, &params, x, key).square().mean();
        let c = conv.forward(graph, &params, image).relu().max_pool2d([2, 2], [2, 2]).square().mean();
        let logits = model.forward(graph, &params, &symbols, 8, None, Some(key)).reshape(&[8 * 80, 50]);
        let loss = q + c + logits.cross_entropy(&symbols, Some(7), None);
        bits.push(loss.item().to_bits());
        loss.gradient(&params, &mut gradient);
        params.data_mut().iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.01 * g);
    }
    bits.extend(params.data().iter().map(|x| x.to_bits()));
    let mut cache = model.cache(2, 20);
    let graph = tape.graph();
    bits.extend(
        model
            .prefill(graph, &params, &symbols[..20], &[10, 7], &mut cache)
            .data()
            .iter()
            .map(|x| x.to_bits()),
    );
    bits.extend(model.step(graph, &params, &[3usize, 4], &mut cache).data().iter().map(|x| x.to_bits()));
    bits
}

#[test]
fn nor_do_those_of_the_other_operations() {
    let one = others(1);
    assert_eq!(others(2), one, "2 threads");
    assert_eq!(others(3), one, "3 threads");
}
