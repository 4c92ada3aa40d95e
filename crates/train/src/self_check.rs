//! Proof that a device computes what it should, before anything is trained on it.
//!
//! Back ends have computed wrong losses without a word. So a fixed tiny model takes one step of
//! training and writes a few tokens, and the results are compared with those of the flex back end,
//! which are stored in `self_check.json`.

use std::{collections::BTreeMap, time::Instant};

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config, Sequence, Supervised};
use serde::{Deserialize, Serialize};

use crate::{AdamW, Optimizer, Rates, formula_weights};

/// What a device computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfCheck {
    /// Loss of the batch.
    pub loss: f64,
    /// Of each parameter's gradient.
    pub gradients: BTreeMap<String, Digest>,
    /// Of each parameter after one step of AdamW.
    pub updated: BTreeMap<String, Digest>,
    /// Greedy continuation by the model before the step.
    pub tokens: Vec<u32>,
}

/// A tensor in a few numbers: its norm, and its products with vectors of pseudo-random signs. Swapped,
/// missing or wrong elements change some of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Root of the sum of the squares.
    pub norm: f64,
    /// Sums with signs.
    pub products: [f64; 4],
}

/// A quantity compared with the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was compared.
    pub quantity: &'static str,
    /// Largest relative error, or the number of tokens that differ.
    pub error: f64,
    /// Largest error allowed.
    pub tolerance: f64,
    /// The parameter with the largest error, or what else helps to find the fault.
    pub place: String,
}

impl Finding {
    /// Whether the quantity is as it should be; one that is not a number is not.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// Relative errors that summation in another order may make, with a margin: flex and LibTorch differ
/// by 1e-6, flex and a software GPU by 1e-5. Half precision errs by 1e-3 and more.
const LOSS_TOLERANCE: f64 = 1e-5;
const TENSOR_TOLERANCE: f64 = 1e-4;

impl SelfCheck {
    /// Runs the check on a device, which must not have autodiff. Returns the results and the seconds
    /// that they took.
    #[must_use]
    pub fn run(device: &Device) -> (Self, f64) {
        let started = Instant::now();
        let model = formula_weights(Gpt2::init(&model_config(), &device.clone().autodiff()));
        let tokens = model.valid().generate(&[3, 14, 15], &GenerateOptions::greedy(8));
        let (ids, targets) = batch();
        let sequences: Vec<Sequence<'_>> =
            ids.iter().map(Vec::as_slice).zip(targets.iter().map(Vec::as_slice)).collect();
        let Some(supervised) = Supervised::mean(&sequences, true) else { unreachable!("the batch has targets") };
        let loss = model.loss(&supervised);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let mut digests = Digests::new(Some(&gradients));
        model.visit(&mut digests);
        let gradients_digests = digests.found;
        // An epsilon as large as the gradients, so that an update depends on their size, too.
        let mut optimizer = Optimizer::new(AdamW { eps: 1e-3, ..AdamW::default() });
        let model = optimizer.apply(model, gradients, &|_, _| Rates { lr: 0.1, weight_decay: 0.1 }, 1.0);
        let mut digests = Digests::new(None);
        model.valid().visit(&mut digests);
        let result = Self { loss: value, gradients: gradients_digests, updated: digests.found, tokens };
        (result, started.elapsed().as_secs_f64())
    }

    /// What flex computed when the check was written.
    #[must_use]
    pub fn reference() -> Self {
        serde_json::from_str(include_str!("self_check.json"))
            .unwrap_or_else(|error| unreachable!("the stored results are JSON: {error}"))
    }

    /// Compares every quantity with a reference.
    #[must_use]
    pub fn compare(&self, reference: &Self) -> Vec<Finding> {
        let loss = Finding {
            quantity: "loss",
            error: ((self.loss - reference.loss) / reference.loss).abs(),
            tolerance: LOSS_TOLERANCE,
            place: format!("{:.7}, {:.7} wanted", self.loss, reference.loss),
        };
        let different = self.tokens.iter().zip(&reference.tokens).filter(|(a, b)| a != b).count()
            + self.tokens.len().abs_diff(reference.tokens.len());
        let tokens = Finding {
            quantity: "greedy tokens",
            error: different as f64,
            tolerance: 0.0,
            place: format!("{:?}, {:?} wanted", self.tokens, reference.tokens),
        };
        vec![
            loss,
            compare_all("gradients", &self.gradients, &reference.gradients),
            compare_all("parameters after a step", &self.updated, &reference.updated),
            tokens,
        ]
    }
}

/// The worst of all parameters.
fn compare_all(
    quantity: &'static str,
    measured: &BTreeMap<String, Digest>,
    reference: &BTreeMap<String, Digest>,
) -> Finding {
    let mut worst = (0.0, String::new());
    for (name, wanted) in reference {
        let error = measured.get(name).map_or(f64::INFINITY, |digest| digest.error(wanted));
        if worse(error, worst.0) {
            worst = (error, name.clone());
        }
    }
    Finding { quantity, error: worst.0, tolerance: TENSOR_TOLERANCE, place: worst.1 }
}

/// Whether an error is worse than another; one that is not a number is the worst.
fn worse(error: f64, other: f64) -> bool {
    error > other || error.is_nan()
}

impl Digest {
    fn new(values: &[f32]) -> Self {
        let mut products = [0.0; 4];
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for &value in values {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            for (bit, product) in products.iter_mut().enumerate() {
                *product += if (state >> (20 + bit)) & 1 == 0 { f64::from(value) } else { -f64::from(value) };
            }
        }
        let norm = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        Self { norm, products }
    }

    /// The largest difference, relative to the norm.
    fn error(&self, wanted: &Self) -> f64 {
        let pairs = self.products.iter().zip(&wanted.products).chain([(&self.norm, &wanted.norm)]);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |worst, x| if worse(x, worst) { x } else { worst }) / wanted.norm
    }
}

/// Digests of gradients, or of the parameters themselves.
struct Digests<'a> {
    gradients: Option<&'a GradientsParams>,
    path: Vec<String>,
    found: BTreeMap<String, Digest>,
}

impl<'a> Digests<'a> {
    fn new(gradients: Option<&'a GradientsParams>) -> Self {
        Self { gradients, path: Vec::new(), found: BTreeMap::new() }
    }
}

impl ModuleVisitor for Digests<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(param.id),
            None => Some(param.val()),
        };
        if let Some(values) = tensor.and_then(|tensor| tensor.into_data().try_into_vec::<f32>().ok()) {
            self.found.insert(self.path.join("."), Digest::new(&values));
        }
    }
}

/// A model of two blocks, on flex.
#[cfg(test)]
pub(crate) fn small_model() -> Gpt2 {
    formula_weights(Gpt2::init(&model_config(), &Device::flex().autodiff()))
}

fn model_config() -> Gpt2Config {
    Gpt2Config {
        vocab_size: 97,
        n_positions: 24,
        n_embd: 32,
        n_layer: 2,
        n_head: 2,
        tie_word_embeddings: false,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }
}

/// Sequences of several lengths with a beginning in common, and what follows each token; some of it is
/// masked.
fn batch() -> (Vec<Vec<u32>>, Vec<Vec<i64>>) {
    let token = |sequence: usize, position: usize| match position {
        0..3 => position * 7 + 1,
        _ => (sequence * 31 + position * position * 5 + 11) % 97,
    };
    let lengths = [17, 9, 4, 12];
    let ids = |sequence: usize| (0..lengths[sequence]).map(move |at| u32::try_from(token(sequence, at)).unwrap_or(0));
    let target = |sequence: usize, at: usize| match (sequence + at) % 5 {
        4 => -100,
        _ => i64::try_from(token(sequence, at + 1)).unwrap_or(0),
    };
    let targets = |sequence: usize| (0..lengths[sequence]).map(move |at| target(sequence, at));
    (
        (0..4).map(|sequence| ids(sequence).collect()).collect(),
        (0..4).map(|sequence| targets(sequence).collect()).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flex_computes_the_reference() {
        let (result, _) = SelfCheck::run(&Device::flex());
        if std::env::var_os("GPTUNE_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/self_check.json");
            std::fs::write(path, serde_json::to_string_pretty(&result).unwrap() + "\n").unwrap();
        }
        for finding in result.compare(&SelfCheck::reference()) {
            assert!(finding.passed(), "{finding:?}");
            assert!(finding.error <= finding.tolerance / 5.0, "a tight fit here would fail elsewhere: {finding:?}");
        }
    }

    #[test]
    fn the_choice_of_tokens_is_clear() {
        // Rounding must not decide between two tokens.
        let model = formula_weights(Gpt2::init(&model_config(), &Device::flex()));
        let mut ids = vec![3, 14, 15];
        for token in SelfCheck::reference().tokens {
            let packed = gptune_model::Packed::new(&[&ids], false);
            let logits = model.logits(&packed).into_data().try_into_vec::<f32>().unwrap();
            let mut last = logits[logits.len() - 97..].to_vec();
            let best = last[token as usize];
            last.sort_by(f32::total_cmp);
            assert!(best == last[96] && best - last[95] > 1e-3 * best.abs(), "{best} and {}", last[95]);
            ids.push(token);
        }
    }

    #[test]
    fn every_planted_fault_is_found() {
        let reference = SelfCheck::reference();
        let failing = |result: &SelfCheck| -> Vec<&'static str> {
            result.compare(&reference).into_iter().filter(|finding| !finding.passed()).map(|f| f.quantity).collect()
        };
        assert!(failing(&reference).is_empty());
        let plant = |fault: fn(&mut SelfCheck)| {
            let mut result = reference.clone();
            fault(&mut result);
            failing(&result)
        };
        assert_eq!(plant(|result| result.loss *= 1.001), ["loss"]);
        assert_eq!(plant(|result| result.loss = f64::NAN), ["loss"]);
        assert_eq!(plant(|result| result.tokens[7] += 1), ["greedy tokens"]);
        assert_eq!(plant(|result| result.tokens.truncate(7)), ["greedy tokens"]);
        for name in reference.gradients.keys() {
            for broken in ["gradients", "parameters after a step"] {
                let mut result = reference.clone();
                let digests = if broken == "gradients" { &mut result.gradients } else { &mut result.updated };
                let digest = digests.get_mut(name).unwrap();
                digest.products[2] += 1e-3 * digest.norm;
                assert_eq!(failing(&result), [broken], "{name}");
                let digests = if broken == "gradients" { &mut result.gradients } else { &mut result.updated };
                digests.get_mut(name).unwrap().norm = f64::NAN;
                assert_eq!(failing(&result), [broken], "{name}");
                let digests = if broken == "gradients" { &mut result.gradients } else { &mut result.updated };
                digests.remove(name);
                assert_eq!(failing(&result), [broken], "{name}");
            }
        }
    }

    #[test]
    fn digests_see_swapped_and_wrong_elements() {
        let values: Vec<f32> = (0..96).map(|i| (i as f32 * 0.7).sin()).collect();
        let digest = Digest::new(&values);
        let mut swapped = values.clone();
        swapped.swap(3, 40);
        assert!(Digest::new(&swapped).error(&digest) > TENSOR_TOLERANCE);
        let transposed: Vec<f32> = (0..96).map(|i| values[i % 8 * 12 + i / 8]).collect();
        assert!(Digest::new(&transposed).error(&digest) > TENSOR_TOLERANCE);
        let mut wrong = values;
        wrong[95] += 0.01;
        assert!(Digest::new(&wrong).error(&digest) > TENSOR_TOLERANCE);
    }
}
