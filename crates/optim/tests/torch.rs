//! Twenty steps on recorded gradients, beside what `torch.optim` did (`fixtures/record_torch.py`).

use quire_core::Seeds;
use quire_optim::{Float, Layout, OptimizerOptions, OptimizerSetting};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn path<F: Float>(options: &OptimizerOptions, start: &[f64], gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let cast = |values: &[f64]| values.iter().map(|&x| F::from_f64(x)).collect::<Vec<F>>();
    let setting = OptimizerSetting::new(Seeds::new(0)).with_steps(gradients.len() as u64);
    let mut optimizer = options.build_for::<F>(&Layout::flat(start.len()), &setting).unwrap();
    let mut params = cast(start);
    gradients
        .iter()
        .map(|gradient| {
            optimizer.step(&mut params, &mut cast(gradient));
            params.iter().map(|p| p.to_f64()).collect()
        })
        .collect()
}

#[test]
fn every_optimizer_walks_the_path_of_pytorch() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/torch.json")).unwrap();
    let start = numbers(&fixture["start"]);
    let gradients: Vec<Vec<f64>> = fixture["gradients"].as_array().unwrap().iter().map(numbers).collect();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 15 && gradients.len() == 20);
    for case in cases {
        let options: OptimizerOptions = serde_json::from_value(case["optimizer"].clone()).unwrap();
        let close = |got: &[f64], field: &str, tolerance: f64| {
            for (got, wanted) in got.iter().zip(numbers(&case[field])) {
                let error = (got - wanted).abs() / wanted.abs().max(1.0);
                assert!(error <= tolerance, "{options:?}, {field}: {got} instead of {wanted}");
            }
        };
        let double = path::<f64>(&options, &start, &gradients);
        close(&double[0], "first", 1e-14);
        close(&double[1], "second", 1e-14);
        close(&double[19], "last", 1e-13);
        let single = path::<f32>(&options, &start, &gradients);
        close(&single[19], "last_single", 2e-6);
    }
}
