//! The bits of every result are the same for every number of threads.

use quire_core::Seeds;
use quire_nn::{Activation, Mlp, MlpConfig, Params, Tape};

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
