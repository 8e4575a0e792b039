//! What holds for every optimizer: resume bit for bit, options that round-trip, errors that name the field.

use quire_core::{Error, Seeds};
use quire_optim::{AdamOptions, Layout, OptimizerOptions, OptimizerSetting, Schedule, SgdOptions};
use rand::RngExt;

fn setting(total_steps: Option<u64>) -> OptimizerSetting {
    OptimizerSetting { total_steps, ..OptimizerSetting::new(Seeds::new(5)) }
}

fn every_kind() -> Vec<OptimizerOptions> {
    [
        r#"{"name": "sgd", "learning_rate": 0.1}"#,
        r#"{"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": true, "clip_norm": 1.0}"#,
        r#"{"name": "adam"}"#,
        r#"{"name": "adamw", "schedule": {"name": "cosine", "warm_up_steps": 3}}"#,
        r#"{"name": "rmsprop", "clip_value": 0.5}"#,
        r#"{"name": "rmsprop", "centered": true, "momentum": 0.5, "epsilon_in_root": true}"#,
        r#"{"name": "muon", "nesterov": false, "weight_decay": 0.1}"#,
        r#"{"name": "turbo-muon"}"#,
        r#"{"name": "psgd", "momentum": 0.9, "fit_probability": 0.5}"#,
        r#"{"name": "psgd", "group": "kronecker"}"#,
        r#"{"name": "psgd", "group": "x-shaped", "normalizer": "first"}"#,
        r#"{"name": "psgd", "group": "diagonal"}"#,
    ]
    .iter()
    .map(|text| serde_json::from_str(text).unwrap())
    .collect()
}

#[test]
fn a_resumed_optimizer_continues_bit_for_bit() {
    let mut layout = Layout::flat(900);
    layout.push("weight", &[1, 10, 9]);
    layout.push("bias", &[1, 13]);
    for options in every_kind() {
        let mut rng = Seeds::new(1).stream("gradients");
        let mut params: Vec<f32> = (0..layout.len()).map(|_| rng.random::<f32>() - 0.5).collect();
        let mut optimizer = options.build(&layout, &setting(Some(30))).unwrap();
        let step =
            |optimizer: &mut dyn quire_optim::Optimizer, params: &mut [f32], rng: &mut quire_core::Rng| {
                let mut gradient: Vec<f32> = params.iter().map(|p| p + rng.random::<f32>() - 0.5).collect();
                optimizer.step(params, &mut gradient);
            };
        for _ in 0..13 {
            step(&mut *optimizer, &mut params, &mut rng);
        }
        let (saved, mut resumed_params, mut resumed_rng) = (optimizer.save(), params.clone(), rng.clone());
        for _ in 0..17 {
            step(&mut *optimizer, &mut params, &mut rng);
        }
        let mut resumed = options.build(&layout, &setting(Some(30))).unwrap();
        resumed.restore(&saved).unwrap();
        for _ in 0..17 {
            step(&mut *resumed, &mut resumed_params, &mut resumed_rng);
        }
        assert_eq!(resumed.steps(), 30);
        assert_eq!(params, resumed_params, "{options:?}");
        assert_eq!(optimizer.save(), resumed.save(), "{options:?}");
    }
}

#[test]
fn a_state_of_another_optimizer_is_refused() {
    let layout = Layout::flat(4);
    let sgd = OptimizerOptions::named("sgd").unwrap().build(&layout, &setting(None)).unwrap();
    let mut adam = OptimizerOptions::default().build(&layout, &setting(None)).unwrap();
    assert!(matches!(adam.restore(&sgd.save()), Err(Error::Resume(_))));
    // The same name with other buffers.
    let momentum = SgdOptions { momentum: 0.9, ..SgdOptions::default() };
    let mut heavy = OptimizerOptions::Sgd(momentum).build(&layout, &setting(None)).unwrap();
    assert!(heavy.restore(&sgd.save()).unwrap_err().to_string().contains("momentum"));
}

#[test]
fn options_survive_json_and_have_a_schema() {
    for options in every_kind() {
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<OptimizerOptions>(&text).unwrap(), options);
    }
    let schema = serde_json::to_string(&quire_schema()).unwrap();
    for word in ["learning_rate", "exclusiveMinimum", "Kingma", "warm_up_steps", "rmsprop"] {
        assert!(schema.contains(word), "the schema lacks {word}");
    }
}

fn quire_schema() -> serde_json::Value {
    schemars::schema_for!(OptimizerOptions).to_value()
}

#[test]
fn every_name_is_known_and_a_wrong_one_gets_a_suggestion() {
    for name in OptimizerOptions::NAMES {
        let options = OptimizerOptions::named(name).unwrap();
        assert_eq!(options.name(), *name);
        let from_text: OptimizerOptions = serde_json::from_str(&format!(r#"{{"name": "{name}"}}"#)).unwrap();
        assert_eq!(from_text, options);
        assert_eq!(options.build(&Layout::flat(2), &setting(None)).unwrap().name(), *name);
    }
    assert!(OptimizerOptions::named("adamx").unwrap_err().to_string().contains("`adam`"));
}

#[test]
fn bad_options_name_their_field() {
    let cases = [
        (r#"{"name": "adam", "learning_rate": 0.0}"#, "learning_rate"),
        (r#"{"name": "adam", "learning_rate": -1.0}"#, "learning_rate"),
        (r#"{"name": "adam", "beta1": 1.0}"#, "beta1"),
        (r#"{"name": "adamw", "beta2": -0.1}"#, "beta2"),
        (r#"{"name": "adamw", "epsilon": -1e-8}"#, "epsilon"),
        (r#"{"name": "sgd", "momentum": 1.5}"#, "momentum"),
        (r#"{"name": "sgd", "dampening": 1.5}"#, "dampening"),
        (r#"{"name": "sgd", "nesterov": true}"#, "nesterov"),
        (r#"{"name": "sgd", "weight_decay": -1.0}"#, "weight_decay"),
        (r#"{"name": "rmsprop", "decay": 1.0}"#, "decay"),
        (r#"{"name": "rmsprop", "clip_norm": 0.0}"#, "clip_norm"),
        (r#"{"name": "rmsprop", "clip_value": -2.0}"#, "clip_value"),
        (r#"{"name": "muon", "smallest_side": 0}"#, "smallest_side"),
        (r#"{"name": "turbo-muon", "iterations": 6}"#, "iterations"),
        (r#"{"name": "psgd", "fit_step": 2.5}"#, "fit_step"),
        (r#"{"name": "psgd", "fit_probability": 0.0}"#, "fit_probability"),
        (r#"{"name": "psgd", "smoothing": 1.0}"#, "smoothing"),
        (r#"{"name": "sgd", "schedule": {"name": "step", "every": 0}}"#, "schedule.every"),
        (r#"{"name": "sgd", "schedule": {"name": "exponential", "decay": 0.0}}"#, "schedule.decay"),
        (r#"{"name": "sgd", "schedule": {"name": "linear", "final_factor": 2.0}}"#, "schedule.final_factor"),
    ];
    for (text, field) in cases {
        let options: OptimizerOptions = serde_json::from_str(text).unwrap();
        match options.check("critic_optimizer") {
            Err(Error::Option { option, .. }) => assert_eq!(option, format!("critic_optimizer.{field}")),
            other => panic!("{text}: {other:?}"),
        }
        assert!(options.build(&Layout::flat(1), &setting(Some(10))).is_err());
    }
    // A value that is not a number at all.
    let nan = OptimizerOptions::Adam(AdamOptions { beta1: f64::NAN, ..AdamOptions::default() });
    assert!(nan.check("optimizer").is_err());
}

#[test]
fn norms_are_recorded_before_clipping_and_saved() {
    let options: OptimizerOptions =
        serde_json::from_str(r#"{"name": "sgd", "clip_norm": 1.0, "record_norms": true}"#).unwrap();
    let build = || options.build(&Layout::flat(2), &setting(None)).unwrap();
    let (mut first, mut second) = (build(), build());
    let mut params = [0.0; 2];
    first.step(&mut params, &mut [3.0, -4.0]);
    second.restore(&first.save()).unwrap();
    second.step(&mut params, &mut [0.5, 0.0]);
    let norms = second.gradient_norms().unwrap();
    assert_eq!((norms.l1(), norms.l2()), (&[7.0, 0.5][..], &[5.0, 0.5][..]));
    assert!(
        OptimizerOptions::default()
            .build(&Layout::flat(2), &setting(None))
            .unwrap()
            .gradient_norms()
            .is_none()
    );
}

#[test]
fn the_schedule_moves_the_learning_rate() {
    let schedule: Schedule = serde_json::from_str(r#"{"name": "linear", "warm_up_steps": 2}"#).unwrap();
    let options = OptimizerOptions::Sgd(SgdOptions { learning_rate: 1.0, schedule, ..SgdOptions::default() });
    assert!(options.build(&Layout::flat(1), &setting(None)).is_err());
    let mut optimizer = options.build(&Layout::flat(1), &setting(Some(4))).unwrap();
    let mut params = [0.0];
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(optimizer.learning_rate());
        optimizer.step(&mut params, &mut [1.0]);
    }
    assert_eq!(rates, [0.5, 1.0, 1.0, 0.5, 0.0]);
    assert_eq!(params, [-3.0]);
}
