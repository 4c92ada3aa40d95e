use gptune_train::{LearningRate, OptimConfig};
use serde_json::Value;

/// What transformers' schedulers give, by `fixtures/schedules.py`.
#[test]
fn learning_rates_are_those_of_transformers() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/schedules.json")).unwrap();
    let (lr, steps) = (fixture["lr"].as_f64().unwrap(), fixture["steps"].as_u64().unwrap());
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let rate = LearningRate {
            schedule: case["schedule"].as_str().unwrap().parse().unwrap(),
            lr,
            min_lr: case["min_lr"].as_f64().unwrap(),
            warmup: usize::try_from(case["warmup"].as_u64().unwrap()).unwrap(),
            steps: usize::try_from(steps).unwrap(),
        };
        for (step, wanted) in case["rates"].as_array().unwrap().iter().enumerate() {
            let (found, wanted) = (rate.at(step), wanted.as_f64().unwrap());
            assert!((found - wanted).abs() <= 1e-12 * lr, "{rate:?}, step {step}: {found} and {wanted}");
        }
    }
}

#[test]
fn a_warm_up_is_steps_or_a_share_of_them() {
    let warmup = |warmup, steps| OptimConfig { warmup, ..OptimConfig::default() }.learning_rate(steps).warmup;
    assert_eq!([warmup(0.0, 50), warmup(7.0, 50), warmup(0.1, 50), warmup(0.03, 50)], [0, 7, 5, 2]);
    let fault = |config: OptimConfig| config.validate().unwrap_err().to_string();
    assert!(fault(OptimConfig { warmup: 2.5, ..OptimConfig::default() }).contains("'warmup'"));
    assert!(fault(OptimConfig { min_lr: 1e-6, ..OptimConfig::default() }).contains("choose another --schedule"));
    assert!(fault(OptimConfig { min_lr: 1.0, ..OptimConfig::default() }).contains("above the learning rate"));
}
