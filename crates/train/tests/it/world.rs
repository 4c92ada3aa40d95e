//! The model, data and observer of these tests.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Tensor, TensorData},
};
use gptune_data::{Dataset, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_train::{Event, Observer, Outcome, Prepared, TrainConfig, TrainError, Trainer};

/// The sizes that `fixtures/reference.py` uses.
pub(crate) fn model_config(tied: bool) -> Gpt2Config {
    Gpt2Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        n_positions: 256,
        vocab_size: 50_257,
        tie_word_embeddings: tied,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }
}

/// A model with the weights of the formula in `fixtures/reference.py`.
pub(crate) fn model(tied: bool) -> Gpt2 {
    let device = Device::flex().autodiff();
    Gpt2::init(&model_config(tied), &device).map(&mut Formula { path: Vec::new() })
}

struct Formula {
    path: Vec<String>,
}

impl ModuleMapper for Formula {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        // The head starts as a copy of the token embedding.
        let name = if name == "lm_head.weight" { "wte.weight" } else { &name };
        let seed = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let norm = name.ends_with("weight") && self.path[self.path.len() - 2].starts_with("ln_");
        let value = |index: usize| {
            let mut z = seed.wrapping_add(index as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bits = (z ^ (z >> 31)) >> 40;
            (bits as f32 - 8_388_608.0) / 67_108_864.0 + if norm { 1.0 } else { 0.0 }
        };
        param.map(|tensor| {
            let shape = tensor.shape();
            let values: Vec<f32> = (0..shape.num_elements()).map(value).collect();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device()).require_grad()
        })
    }
}

/// The settings that `fixtures/reference.py` uses.
pub(crate) fn config() -> TrainConfig {
    TrainConfig { lr: 1e-3, max_length: 256, ..TrainConfig::default() }
}

pub(crate) fn dataset() -> Dataset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data.json");
    Dataset::read(&path).unwrap()
}

/// Remembers events and kept models, and asks to stop after a step.
pub(crate) struct Recorder {
    pub events: Vec<Event>,
    /// Updates of each kept model, and whether all numbers of its embedding were finite.
    pub kept: Vec<(usize, bool)>,
    stop_after: Option<usize>,
    stop: Arc<AtomicBool>,
}

impl Observer for Recorder {
    fn event(&mut self, event: &Event) -> Result<(), TrainError> {
        if matches!(event, Event::Step { step, .. } if Some(*step) == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.events.push(event.clone());
        Ok(())
    }

    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError> {
        let weight = model.wte.weight.val().into_data().try_to_vec::<f32>().unwrap();
        self.kept.push((steps, weight.iter().all(|x| x.is_finite())));
        Ok(())
    }
}

/// Runs the loop on the model of the formula, and asks it to stop after a step if one is given.
pub(crate) fn run(config: &TrainConfig, stop_after: Option<usize>) -> (Outcome, Recorder) {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let data = Prepared::new(dataset(), &tokenizer, config, |_| ()).unwrap();
    let trainer = Trainer::new(config, &data, &tokenizer).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut recorder = Recorder { events: Vec::new(), kept: Vec::new(), stop_after, stop: stop.clone() };
    let outcome = trainer.run(model(config.tie_head), &mut recorder, &stop).unwrap();
    (outcome, recorder)
}
