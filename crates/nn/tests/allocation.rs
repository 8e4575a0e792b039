//! After the first step, training and acting allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use quire_core::Seeds;
use quire_nn::{
    Activation, CausalTransformer, DropoutKey, Mlp, MlpConfig, Params, Scratch, Tape, TransformerConfig,
};

/// The system's allocator, counting what it is asked for, on every thread.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's duty.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's duty.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(mut step: impl FnMut()) -> usize {
    step();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..5 {
        step();
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// One test, because the count is the whole process's.
#[test]
fn steps_after_the_first_allocate_nothing() {
    let mut rng = Seeds::new(1).stream("init");
    let mut params = Params::<f32>::new();
    let config = MlpConfig {
        sizes: vec![23, 256, 256, 2],
        ensemble: 3,
        activation: Activation::Silu,
        ..MlpConfig::default()
    };
    let mlp = Mlp::new(&mut params, "q", &config, &mut rng);
    let mut target = params.clone();
    let mut gradient = vec![0.0; params.len()];
    let observations: Vec<f32> = (0..256 * 23).map(|i| (i as f32).sin()).collect();
    let actions: Vec<usize> = (0..256).map(|i| i % 2).collect();
    for threads in [1, 2] {
        let mut tape = Tape::new(threads);
        let allocations = count(|| {
            let graph = tape.graph();
            let x = graph.constant(&[256, 23], &observations);
            let value =
                graph.no_grad(|| mlp.forward_members(graph, &target, x, [2, 0]).max_axis(-1, false).0.mean());
            let q = mlp.forward(graph, &params, x).gather(&actions);
            let spread = (q.log_softmax() * q.softmax()).sum();
            let loss = (q - value).huber(1.0).mean() + spread * 0.01;
            loss.gradient(&params, &mut gradient);
            params.data_mut().iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 1e-3 * g);
            target.polyak(&params, 0.005, tape.pool());
        });
        assert_eq!(allocations, 0, "training with {threads} threads");
    }
    let mut tape = Tape::new(1);
    let second = count(|| {
        let graph = tape.graph();
        let x = graph.variable(&[16, 23], &observations[..16 * 23]);
        let [slope] = mlp.forward(graph, &params, x).sum().grad(&[x]);
        slope.square().sum().gradient(&params, &mut gradient);
    });
    assert_eq!(second, 0, "a gradient penalty");
    let mut scratch = Scratch::new();
    let acting = count(|| {
        mlp.infer(&params, &observations[..23], &mut scratch);
        mlp.infer_batch(&params, &observations, &mut scratch);
    });
    assert_eq!(acting, 0, "acting");

    let mut params = Params::<f32>::new();
    let config = TransformerConfig { dropout: 0.1, ..TransformerConfig::gpt2(31, 64, 32, 2, 2) };
    let model = CausalTransformer::new(&mut params, "m", &config, &mut rng).unwrap();
    let mut gradient = vec![0.0; params.len()];
    let symbols: Vec<u32> = (0..4 * 64).map(|i| i * 7 % 31).collect();
    let mut tape = Tape::new(2);
    let training = count(|| {
        let graph = tape.graph();
        let key = Some(DropoutKey { stream: 1, step: 1 });
        let logits = model.forward(graph, &params, &symbols, 4, Some(&[64, 30, 2, 1]), key);
        let loss = logits.reshape(&[4 * 64, 31]).cross_entropy(&symbols, Some(3), None);
        loss.gradient(&params, &mut gradient);
    });
    assert_eq!(training, 0, "training a transformer");
    let mut cache = model.cache(4, 64);
    let generating = count(|| {
        cache.clear();
        model.prefill(tape.graph(), &params, &symbols[..4 * 8], &[8; 4], &mut cache);
        for _ in 0..3 {
            model.step(tape.graph(), &params, &symbols[..4], &mut cache);
        }
    });
    assert_eq!(generating, 0, "generating");
}
