//! What a training is told: the defaults are the book's.

use std::{fmt, str::FromStr};

use gptune_data::{Encoder, Fractions, Order, Template, Tokenizer, TooLong};
use serde::{Deserialize, Serialize};

use crate::{LearningRate, Precision, Schedule, TrainError};

/// The parameters that weight decay is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecayOn {
    /// Every one, as `torch.optim.AdamW` has it.
    #[default]
    All,
    /// Those of two dimensions, as nanoGPT and transformers have it: no biases, and nothing of a `LayerNorm`.
    Matrices,
}

impl fmt::Display for DecayOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Matrices => "matrices",
        })
    }
}

impl FromStr for DecayOn {
    type Err = TrainError;

    fn from_str(name: &str) -> Result<Self, TrainError> {
        [Self::All, Self::Matrices].into_iter().find(|on| on.to_string() == name).ok_or_else(|| TrainError::Setting {
            key: "weight_decay_on",
            problem: format!("'{name}' is unknown; known: all, matrices"),
        })
    }
}

/// What is left out of the computation of a batch, without changing its result but for the order of
/// additions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Padding.
    pub rows: bool,
    /// Repetitions of what all sequences begin with.
    pub prefix: bool,
}

impl Default for Packing {
    fn default() -> Self {
        Self { rows: true, prefix: true }
    }
}

/// What becomes of examples on their way to a model. Taken by [`Prepared`](crate::Prepared).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The parts of `data`.
    pub split: Fractions,
    /// Shuffle `data` with this seed before it is split; 0 keeps the order of the file.
    pub split_seed: u32,
    /// Leave out entries that cannot be used, instead of refusing the file.
    pub skip_bad: bool,
    /// What becomes of examples longer than `max_length`.
    pub too_long: TooLong,
    /// Let text that reads like one of the tokenizer's added tokens become that token.
    pub special_tokens: bool,
    /// Leave the prompt without loss.
    pub mask_instructions: bool,
    /// Longest sequence in tokens; longer ones are cut.
    pub max_length: usize,
    /// Keep only the first training examples; 0 keeps all.
    pub train_limit: usize,
    /// Sequences in a batch.
    pub batch_size: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            split: Fractions::default(),
            split_seed: 0,
            skip_bad: false,
            too_long: TooLong::Cut,
            special_tokens: false,
            mask_instructions: false,
            max_length: 1024,
            train_limit: 0,
            batch_size: 8,
        }
    }
}

/// How parameters are updated. Taken by [`Trainer`](crate::Trainer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimConfig {
    /// Batches whose gradients make one update: memory of one, arithmetic of all together.
    pub grad_accum: usize,
    /// Longest gradient, as its norm over all parameters; longer ones are scaled down. 0 is no limit.
    pub max_grad_norm: f64,
    /// Learning rate.
    pub lr: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises at first; below 1, their share of all steps.
    pub warmup: f64,
    /// The learning rate that the schedule falls to.
    pub min_lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Which parameters it is on.
    pub weight_decay_on: DecayOn,
    /// Parameters that stay as they are: patterns of their names, or of modules'.
    pub freeze: Vec<String>,
    /// The only parameters that are trained, but for those of `freeze`; empty for all.
    pub train_only: Vec<String>,
    /// Decay rate of AdamW's first moment.
    pub beta_1: f64,
    /// Decay rate of AdamW's second moment.
    pub beta_2: f64,
    /// Added to AdamW's denominator.
    pub eps: f64,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            grad_accum: 1,
            max_grad_norm: 0.0,
            lr: 5e-5,
            schedule: Schedule::Constant,
            warmup: 0.0,
            min_lr: 0.0,
            weight_decay: 0.1,
            weight_decay_on: DecayOn::All,
            freeze: Vec::new(),
            train_only: Vec::new(),
            beta_1: 0.9,
            beta_2: 0.999,
            eps: 1e-8,
        }
    }
}

/// How long is trained, in which order, and what is done along the way. Taken by [`Trainer`](crate::Trainer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // independent switches, as in the file
pub struct LoopConfig {
    /// Seed of the data order, and of dropout.
    pub seed: u32,
    /// How training examples are ordered.
    pub order: Order,
    /// Passes over the training part.
    pub epochs: usize,
    /// Stop after this many steps; 0 is no limit.
    pub max_steps: usize,
    /// Dropout while training.
    pub dropout: f64,
    /// The type of number that matrix products take.
    pub precision: Precision,
    /// Leave padding out of the computation.
    pub packing: bool,
    /// Compute what the sequences of a batch begin with in common once.
    pub prefix_sharing: bool,
    /// Evaluate at all.
    pub eval: bool,
    /// Steps between evaluations.
    pub eval_every: usize,
    /// Batches of each part in an evaluation; 0 takes all.
    pub eval_batches: usize,
    /// Keep the model of the lowest validation loss.
    pub keep_best: bool,
    /// End after this many evaluations without a lower validation loss; 0 is never.
    pub patience: usize,
    /// Length of the sample after every epoch, in tokens; 0 is no sample.
    pub sample_tokens: usize,
    /// Store the state of the run now and then, to go on with if it is broken off.
    pub checkpoint: bool,
    /// Steps between stored states, beside those at the end of each epoch; 0 is none.
    pub checkpoint_every: usize,
    /// Minutes between stored states; 0 is none.
    pub checkpoint_minutes: f64,
    /// Keep the stored state of a run that is complete.
    pub keep_checkpoint: bool,
}

impl Default for LoopConfig {
    fn default() -> Self {
        Self {
            seed: 123,
            order: Order::Torch,
            epochs: 2,
            max_steps: 0,
            dropout: 0.0,
            precision: Precision::F32,
            packing: true,
            prefix_sharing: true,
            eval: true,
            eval_every: 5,
            eval_batches: 5,
            keep_best: false,
            patience: 0,
            sample_tokens: 50,
            checkpoint: true,
            checkpoint_every: 0,
            checkpoint_minutes: 10.0,
            keep_checkpoint: false,
        }
    }
}

fn fault<T>(key: &'static str, problem: impl Into<String>) -> Result<T, TrainError> {
    Err(TrainError::Setting { key, problem: problem.into() })
}

/// Refuses counts of 0.
fn counts<const N: usize>(counts: [(&'static str, usize); N]) -> Result<(), TrainError> {
    match counts.into_iter().find(|&(_, value)| value == 0) {
        Some((key, _)) => fault(key, "it has to be at least 1"),
        None => Ok(()),
    }
}

/// Refuses what is no number from 0 up.
fn from_0<const N: usize>(numbers: [(&'static str, f64); N]) -> Result<(), TrainError> {
    match numbers.into_iter().find(|&(_, value)| !value.is_finite() || value < 0.0) {
        Some((key, value)) => fault(key, format!("{value} is not a number from 0 up")),
        None => Ok(()),
    }
}

/// Refuses what is not below 1, or below 0.
fn shares<const N: usize>(numbers: [(&'static str, f64); N]) -> Result<(), TrainError> {
    match numbers.into_iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
        Some((key, value)) => fault(key, format!("{value} is not in 0..1")),
        None => Ok(()),
    }
}

impl DataConfig {
    /// Checks values that would make no batch.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        counts([("batch_size", self.batch_size)])?;
        if self.max_length < 2 {
            return fault("max_length", "a sequence needs at least 2 tokens");
        }
        Ok(())
    }

    /// How texts become ids.
    #[must_use]
    pub fn encoder<'a>(&self, tokenizer: &'a Tokenizer, template: &'a Template) -> Encoder<'a> {
        Encoder { tokenizer, template, special_tokens: self.special_tokens }
    }
}

impl OptimConfig {
    /// Checks values that would make no update.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        counts([("grad_accum", self.grad_accum)])?;
        from_0([
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("warmup", self.warmup),
            ("min_lr", self.min_lr),
            ("eps", self.eps),
            ("max_grad_norm", self.max_grad_norm),
        ])?;
        shares([("beta_1", self.beta_1), ("beta_2", self.beta_2)])?;
        if self.lr == 0.0 {
            return fault("lr", "0 changes nothing; `gptune evaluate` measures a model as it is");
        }
        if self.min_lr > self.lr {
            return fault("min_lr", format!("{} is above the learning rate, {}", self.min_lr, self.lr));
        }
        if self.schedule == Schedule::Constant && self.min_lr > 0.0 {
            return fault("min_lr", "a constant learning rate does not fall to it; choose another --schedule");
        }
        if self.warmup >= 1.0 && self.warmup.fract() != 0.0 {
            return fault("warmup", format!("{} is neither a number of steps nor a share below 1", self.warmup));
        }
        #[allow(clippy::cast_possible_truncation)]
        if self.eps as f32 == 0.0 {
            return fault("eps", format!("{} is 0 in 32 bits, and a gradient of 0 would divide by it", self.eps));
        }
        Ok(())
    }

    /// Whether weight decay is on a parameter of this many dimensions.
    #[must_use]
    pub fn decays(&self, dimensions: usize) -> bool {
        self.weight_decay_on == DecayOn::All || dimensions > 1
    }

    /// The learning rate of each step of a run of this many.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of steps from 0 up
    pub fn learning_rate(&self, steps: usize) -> LearningRate {
        // A share in whole steps, as transformers rounds its `warmup_ratio`.
        let warmup = if self.warmup < 1.0 { (self.warmup * steps as f64).ceil() } else { self.warmup };
        LearningRate { schedule: self.schedule, lr: self.lr, min_lr: self.min_lr, warmup: warmup as usize, steps }
    }
}

impl LoopConfig {
    /// Checks values that would make no run.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        counts([("epochs", self.epochs), ("eval_every", self.eval_every)])?;
        from_0([("checkpoint_minutes", self.checkpoint_minutes)])?;
        shares([("dropout", self.dropout)])?;
        let needs = "it goes by the validation loss, and there are no evaluations ('eval' is false, --no-eval)";
        match self {
            Self { eval: false, keep_best: true, .. } => fault("keep_best", needs),
            Self { eval: false, patience: 1.., .. } => fault("patience", needs),
            _ => Ok(()),
        }
    }

    /// How batches are computed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        Packing { rows: self.packing, prefix: self.prefix_sharing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_are_refused_by_name() {
        let names = |result: Result<(), TrainError>, key: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(&format!("'{key}'")), "{error}");
        };
        names(DataConfig { batch_size: 0, ..DataConfig::default() }.validate(), "batch_size");
        names(OptimConfig { lr: f64::NAN, ..OptimConfig::default() }.validate(), "lr");
        names(OptimConfig { eps: 1e-60, ..OptimConfig::default() }.validate(), "eps");
        names(OptimConfig { warmup: 1.5, ..OptimConfig::default() }.validate(), "warmup");
        names(OptimConfig { min_lr: 1e-6, ..OptimConfig::default() }.validate(), "min_lr");
        names(LoopConfig { epochs: 0, ..LoopConfig::default() }.validate(), "epochs");
        names(LoopConfig { eval: false, patience: 2, ..LoopConfig::default() }.validate(), "patience");
        names(LoopConfig { eval: false, keep_best: true, ..LoopConfig::default() }.validate(), "keep_best");
        names("some".parse::<DecayOn>().map(|_| ()), "weight_decay_on");
    }
}
