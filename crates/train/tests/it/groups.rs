use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use gptune_run::Event;
use gptune_train::{DecayOn, LearningRate, OptimConfig};
use serde_json::Value;

use crate::world;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/groups.json")).unwrap()
}

/// The names of all parameters, with their dimensions and numbers.
#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    found: Vec<(String, usize, Vec<f32>)>,
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let numbers = param.val().into_data().try_to_vec().unwrap();
        self.found.push((self.path.join("."), D, numbers));
    }
}

fn parameters(model: &gptune_model::Gpt2) -> Vec<(String, usize, Vec<f32>)> {
    let mut parameters = Parameters::default();
    model.visit(&mut parameters);
    parameters.found
}

#[test]
fn decay_is_on_the_parameters_that_nanogpt_and_transformers_put_it_on() {
    let config = OptimConfig { weight_decay_on: DecayOn::Matrices, ..OptimConfig::default() };
    for model in fixture()["models"].as_array().unwrap() {
        assert_eq!(model["agree"], true);
        let tied = model["tied"].as_bool().unwrap();
        for (key, decays) in [("decay", true), ("no_decay", false)] {
            let mut wanted: Vec<&str> =
                model["trainer"][key].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let found = parameters(&world::model(tied));
            let mut found: Vec<&str> = found
                .iter()
                .filter(|(_, dimensions, _)| config.decays(*dimensions) == decays)
                .map(|(name, ..)| name.as_str())
                .collect();
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted, "tied {tied}, {key}");
        }
    }
    assert!(OptimConfig::default().decays(1));
}

#[test]
fn the_rates_of_groups_are_those_of_pytorch() {
    let fixture = fixture();
    let number = |value: &Value| value.as_f64().unwrap();
    let count = |key: &str| usize::try_from(fixture[key].as_u64().unwrap()).unwrap();
    let lrs: Vec<f64> = fixture["lrs"].as_array().unwrap().iter().map(number).collect();
    for case in fixture["cases"].as_array().unwrap() {
        for (group, &lr) in lrs.iter().enumerate() {
            let rate = LearningRate {
                schedule: case["schedule"].as_str().unwrap().parse().unwrap(),
                lr,
                // transformers takes the lowest rate as a share of that of the first group.
                min_lr: number(&case["min_lr"]) * lr / lrs[0],
                warmup: count("warmup"),
                steps: count("steps"),
            };
            for (step, rates) in case["rates"].as_array().unwrap().iter().enumerate() {
                let (found, wanted) = (rate.at(step), number(&rates[group]));
                assert!((found - wanted).abs() <= 1e-12 * lr, "{rate:?}, step {step}: {found} and {wanted}");
            }
        }
    }
}

#[test]
fn each_group_tells_its_rate_where_there_are_several() {
    let rates = |on| {
        let (_, recorder) = world::run(
            &world::config().with(|s| {
                s.optim.weight_decay_on = on;
                s.run.max_steps = 1;
                s.run.eval = false;
            }),
            None,
        );
        let groups = |event: &Event| if let Event::Step { groups, .. } = event { Some(groups.clone()) } else { None };
        recorder.events.iter().find_map(groups).unwrap()
    };
    assert!(rates(DecayOn::All).is_empty());
    assert_eq!(rates(DecayOn::Matrices), [("matrices".to_owned(), 1e-3), ("vectors".to_owned(), 1e-3)].into());
}

#[test]
fn what_is_frozen_stays_bit_by_bit_and_counts_as_untrained() {
    let config = world::config().with(|s| {
        s.optim.train_only = vec!["h.1.mlp".to_owned(), "ln_f".to_owned()];
        s.optim.freeze = vec!["ln_f.bias".to_owned()];
        s.run.max_steps = 3;
        s.run.eval = false;
    });
    let (outcome, recorder) = world::run(&config, None);
    let before = parameters(&world::model(false));
    let mut numbers = 0;
    for ((name, _, before), (_, _, after)) in before.into_iter().zip(parameters(&outcome.model)) {
        let trained = name.starts_with("h.1.mlp") || name == "ln_f.weight";
        assert_eq!(before != after, trained, "{name}");
        numbers += if trained { after.len() } else { 0 };
    }
    let told = recorder.events.iter().find_map(|event| match event {
        Event::Start { parameters, .. } => Some(*parameters),
        _ => None,
    });
    assert_eq!(told, Some(numbers));
}
