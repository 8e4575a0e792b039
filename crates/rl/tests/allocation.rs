//! Once memories are full, a value learner allocates nothing: neither acting nor updating.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use quire_core::options::parse_assignments;
use quire_core::{Seeds, Trace};
use quire_env::Space;
use quire_rl::agent::Task;
use quire_rl::replay::Transition;
use quire_rl::value::METHODS;

/// The system's allocator, counting what each thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's duty.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's duty.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_value_learner_allocates_in_its_loop() {
    let task = Task {
        observation: Space::new_box(vec![-1.0; 2], vec![1.0; 2], vec![2]).unwrap(),
        action: Space::Discrete { n: 3 },
        budget: 1_000,
        threads: 1,
        seeds: Seeds::new(5),
    };
    let small = ["learning_starts=10", "learn_period=2", "replay_capacity=100", "network.hidden=[6,5]"];
    for entry in METHODS {
        let has_steps = (entry.card)().options.defaults().contains_key("n_step");
        let set =
            parse_assignments(&[&small[..], if has_steps { &["n_step=3"] } else { &[] }].concat()).unwrap();
        let (mut agent, _) = (entry.make.agent)(&task, &set).unwrap();
        let mut trace = Trace::new();
        let mut rng = task.seeds.stream("evaluation");
        let mut live = |from: u64, to: u64| {
            for step in from..to {
                let seen = [(step as f32).sin(), (step as f32).cos()];
                let mut action = [0.0];
                agent.act(&seen, &mut action);
                agent.act_greedily(&seen, &mut rng, &mut [0.0]);
                let transition = Transition {
                    observation: &seen,
                    action: &action,
                    reward: seen[0],
                    steps: 1,
                    next_observation: &seen,
                    terminated: step % 7 == 0,
                    truncated: false,
                };
                agent.observe(&transition, step, &mut trace).unwrap();
            }
        };
        live(1, 300);
        let before = ALLOCATIONS.get();
        live(300, 600);
        assert_eq!(ALLOCATIONS.get() - before, 0, "{}", entry.name);
    }
}
