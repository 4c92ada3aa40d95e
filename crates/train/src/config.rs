use gptune_data::{Encoder, Fractions, Order, PromptStyle, Tokenizer, TooLong};
use serde::{Deserialize, Serialize};

use crate::{LearningRate, Precision, Schedule, TrainError};

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

/// Every value of a run. The defaults are the book's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // independent switches, as in the file
pub struct TrainConfig {
    /// The model to start from: a name, a folder or a file.
    pub model: String,
    /// The data: a name or a file, which is split.
    pub data: String,
    /// A file of training data instead, not split; empty for none.
    pub train_data: String,
    /// A file of validation data, beside `train_data`; empty for none.
    pub val_data: String,
    /// A file of test data, beside `train_data`; empty for none.
    pub test_data: String,
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
    /// The device to train on.
    pub device: String,
    /// The type of number that matrix products take.
    pub precision: Precision,
    /// Seed of the data order, and of dropout.
    pub seed: u32,
    /// How training examples are ordered.
    pub order: Order,
    /// How examples become text.
    pub prompt_style: PromptStyle,
    /// Leave the prompt without loss.
    pub mask_instructions: bool,
    /// Longest sequence in tokens; longer ones are cut.
    pub max_length: usize,
    /// Keep only the first training examples; 0 keeps all.
    pub train_limit: usize,
    /// Passes over the training part.
    pub epochs: usize,
    /// Stop after this many steps; 0 is no limit.
    pub max_steps: usize,
    /// Sequences in a batch.
    pub batch_size: usize,
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
    /// Decoupled weight decay, on every parameter.
    pub weight_decay: f64,
    /// Decay rate of AdamW's first moment.
    pub beta_1: f64,
    /// Decay rate of AdamW's second moment.
    pub beta_2: f64,
    /// Added to AdamW's denominator.
    pub eps: f64,
    /// Dropout while training.
    pub dropout: f64,
    /// Keep the output head tied to the token embedding.
    pub tie_head: bool,
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
    /// Answer the test part after training.
    pub respond: bool,
    /// Longest answer in tokens.
    pub response_tokens: usize,
    /// Test examples answered before and after training, to compare.
    pub preview: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            model: "nano".to_owned(),
            data: "sample".to_owned(),
            train_data: String::new(),
            val_data: String::new(),
            test_data: String::new(),
            split: Fractions::default(),
            split_seed: 0,
            skip_bad: false,
            too_long: TooLong::Cut,
            special_tokens: false,
            device: "auto".to_owned(),
            precision: Precision::F32,
            seed: 123,
            order: Order::Torch,
            prompt_style: PromptStyle::Book,
            mask_instructions: false,
            max_length: 1024,
            train_limit: 0,
            epochs: 2,
            max_steps: 0,
            batch_size: 8,
            grad_accum: 1,
            max_grad_norm: 0.0,
            lr: 5e-5,
            schedule: Schedule::Constant,
            warmup: 0.0,
            min_lr: 0.0,
            weight_decay: 0.1,
            beta_1: 0.9,
            beta_2: 0.999,
            eps: 1e-8,
            dropout: 0.0,
            tie_head: false,
            packing: true,
            prefix_sharing: true,
            eval: true,
            eval_every: 5,
            eval_batches: 5,
            sample_tokens: 50,
            checkpoint: true,
            checkpoint_every: 0,
            checkpoint_minutes: 10.0,
            keep_checkpoint: false,
            respond: false,
            response_tokens: 256,
            preview: 0,
        }
    }
}

impl TrainConfig {
    /// Parses a recipe: TOML with any of the keys of this struct; the others keep their defaults.
    ///
    /// # Errors
    ///
    /// [`TrainError::Recipe`] with `origin` and what is wrong, an unknown key among it.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            TrainError::Recipe { origin: origin.to_owned(), line, problem: error.message().to_owned() }
        })
    }

    /// The keys that a recipe sets; none if it is no TOML.
    #[must_use]
    pub fn keys(text: &str) -> Vec<String> {
        text.parse::<toml::Table>().map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }

    /// The configuration as TOML, every key written.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if a value has no TOML form.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|error| TrainError::Setting { key: "config", problem: error.to_string() })
    }

    /// How texts become ids.
    #[must_use]
    pub fn encoder<'a>(&self, tokenizer: &'a Tokenizer) -> Encoder<'a> {
        Encoder { tokenizer, style: self.prompt_style, special_tokens: self.special_tokens }
    }

    /// The learning rate of each step of a run of this many.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of steps from 0 up
    pub fn learning_rate(&self, steps: usize) -> LearningRate {
        // A share in whole steps, as transformers rounds its `warmup_ratio`.
        let warmup = if self.warmup < 1.0 { (self.warmup * steps as f64).ceil() } else { self.warmup };
        LearningRate { schedule: self.schedule, lr: self.lr, min_lr: self.min_lr, warmup: warmup as usize, steps }
    }

    /// How batches are computed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        Packing { rows: self.packing, prefix: self.prefix_sharing }
    }

    /// Checks values that would make no run.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        let fault = |key, problem: String| Err(TrainError::Setting { key, problem });
        let counts = [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("grad_accum", self.grad_accum),
            ("eval_every", self.eval_every),
            ("response_tokens", self.response_tokens),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return fault(key, "it has to be at least 1".to_owned());
        }
        if self.max_length < 2 {
            return fault("max_length", "a sequence needs at least 2 tokens".to_owned());
        }
        for (key, value) in [
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("warmup", self.warmup),
            ("min_lr", self.min_lr),
            ("eps", self.eps),
            ("max_grad_norm", self.max_grad_norm),
            ("checkpoint_minutes", self.checkpoint_minutes),
        ] {
            if !value.is_finite() || value < 0.0 {
                return fault(key, format!("{value} is not a number from 0 up"));
            }
        }
        if self.lr == 0.0 {
            return fault("lr", "0 changes nothing; `gptune evaluate` measures a model as it is".to_owned());
        }
        if self.min_lr > self.lr {
            return fault("min_lr", format!("{} is above the learning rate, {}", self.min_lr, self.lr));
        }
        if self.schedule == Schedule::Constant && self.min_lr > 0.0 {
            return fault(
                "min_lr",
                "a constant learning rate does not fall to it; choose another --schedule".to_owned(),
            );
        }
        if self.warmup >= 1.0 && self.warmup.fract() != 0.0 {
            return fault("warmup", format!("{} is neither a number of steps nor a share below 1", self.warmup));
        }
        if self.train_data.is_empty() && !(self.val_data.is_empty() && self.test_data.is_empty()) {
            let problem = "it goes with training data of its own (--train-data); --data is split into its parts";
            return fault(if self.val_data.is_empty() { "test_data" } else { "val_data" }, problem.to_owned());
        }
        if !self.train_data.is_empty() && (self.split_seed != 0 || self.split != Fractions::default()) {
            let key = if self.split_seed == 0 { "split" } else { "split_seed" };
            return fault(key, "training data of its own ('train_data') is not split".to_owned());
        }
        #[allow(clippy::cast_possible_truncation)]
        if self.eps as f32 == 0.0 {
            return fault("eps", format!("{} is 0 in 32 bits, and a gradient of 0 would divide by it", self.eps));
        }
        for (key, value) in [("beta_1", self.beta_1), ("beta_2", self.beta_2), ("dropout", self.dropout)] {
            if !(0.0..1.0).contains(&value) {
                return fault(key, format!("{value} is not in 0..1"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_round_trips_and_partial_recipes_keep_defaults() {
        let config = TrainConfig { lr: 1e-3, ..TrainConfig::default() };
        assert_eq!(TrainConfig::from_toml("x", &config.to_toml().unwrap()).unwrap(), config);
        let partial = TrainConfig::from_toml("x", "epochs = 5\norder = \"length\"").unwrap();
        assert_eq!(partial, TrainConfig { epochs: 5, order: Order::Length, ..TrainConfig::default() });
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused_by_name() {
        let error = TrainConfig::from_toml("r.toml", "epochs = 2\nepoch = 3").unwrap_err().to_string();
        assert!(error.contains("r.toml, line 2") && error.contains("epoch"), "{error}");
        let config = TrainConfig { batch_size: 0, ..TrainConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("batch_size"));
        let config = TrainConfig { lr: f64::NAN, ..TrainConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("lr"));
    }
}
