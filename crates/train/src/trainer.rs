//! Instruction tuning.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use gptune_data::{Batch, DataError, Loader, OrderStream, Part, Tokenizer};
use gptune_model::{GenerateOptions, Gpt2};
use gptune_run::{Checkpoint, Event};

use crate::{
    AdamW, Measure, Observer, Optimizer, Outcome, Packing, Precision, Prepared, Rates, TrainConfig, TrainError,
    TrainState, epochs, evaluate,
    objective::{Cadence, Evaluated, Objective},
    precision::LossScale,
    step::Stepping,
};

/// Fine-tunes a model.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: &'a TrainConfig,
    data: &'a Prepared,
    tokenizer: &'a Tokenizer,
    train: Loader<'a>,
    /// None where no evaluation is wanted.
    val: Option<Loader<'a>>,
}

impl<'a> Trainer<'a> {
    /// A trainer for this data.
    ///
    /// # Errors
    ///
    /// If a part of the data that is needed has no batch.
    pub fn new(config: &'a TrainConfig, data: &'a Prepared, tokenizer: &'a Tokenizer) -> Result<Self, TrainError> {
        let train = data.loader(Part::Train).map_err(|fault| advised(fault, config))?;
        if train.len() < config.grad_accum {
            let problem = format!("{} batches make no step; lower it or --batch-size", train.len());
            return Err(TrainError::Setting { key: "grad_accum", problem });
        }
        let val =
            if config.eval { Some(data.loader(Part::Val).map_err(|fault| advised(fault, config))?) } else { None };
        Ok(Self { config, data, tokenizer, train, val })
    }

    /// Optimizer steps of the whole run.
    #[must_use]
    pub fn steps(&self) -> usize {
        let all = self.config.epochs.saturating_mul(self.steps_per_epoch());
        if self.config.max_steps == 0 { all } else { all.min(self.config.max_steps) }
    }

    /// Runs the loop on `model`, whose device has autodiff. Setting `stop` ends it after the step at
    /// hand.
    ///
    /// As in the book's notebook, the order of the data is seeded afresh before the initial
    /// evaluation and again before the first epoch.
    ///
    /// # Errors
    ///
    /// If an observer fails. A loss that is not a number is no error but an [`Ending`](crate::Ending).
    pub fn run(&self, model: Gpt2, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let config = self.config;
        let loss_scale = (config.precision == Precision::F16).then(LossScale::default);
        epochs::begin(self, TrainState::new(model, self.optimizer(), loss_scale, self.order()), observer, stop)
    }

    /// Goes on from a state that was stored, with a model of the same sizes on its device, to the end.
    ///
    /// # Errors
    ///
    /// If the state is not one of such a run, or an observer fails.
    pub fn resume(
        &self,
        checkpoint: &Checkpoint,
        model: Gpt2,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let state = TrainState::restore(checkpoint, model, self.optimizer(), self.config.order)?;
        let examples = self.train.examples().len();
        if state.permutation.len() != examples || state.permutation.iter().any(|&place| place >= examples) {
            let problem = format!("its order is one of {} examples, and there are {examples}", state.permutation.len());
            return Err(checkpoint.fault(problem).into());
        }
        epochs::go_on(self, state, observer, stop)
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(AdamW { betas: [self.config.beta_1, self.config.beta_2], eps: self.config.eps })
    }

    fn measure(&self, sequences: bool) -> Measure {
        Measure { batches: self.config.eval_batches, packing: self.config.packing(), sequences }
    }

    fn order(&self) -> OrderStream {
        OrderStream::new(self.config.order, self.config.seed)
    }

    /// Losses on the training and the validation part.
    fn evaluation(&self, model: &Gpt2, order: &mut OrderStream, stop: &AtomicBool) -> Evaluated {
        let Some(val) = self.val.as_ref() else { return Evaluated::Not };
        let measure = self.measure(false);
        let mut loss = |loader| evaluate(model, loader, order, measure, || !stop.load(Ordering::Relaxed));
        let losses = loss(&self.train).and_then(|train| Some((train.loss, loss(val)?.loss)));
        losses.map_or(Evaluated::Stopped, |(train, val)| Evaluated::Losses(train, val))
    }
}

impl Objective for Trainer<'_> {
    fn epochs(&self) -> usize {
        self.config.epochs
    }

    /// Batches that make no whole update are left out.
    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.config.grad_accum
    }

    fn steps(&self) -> usize {
        self.steps()
    }

    fn examples(&self) -> [usize; 2] {
        [self.train.examples().len(), self.data.examples(Part::Val).len()]
    }

    fn stepping(&self) -> Stepping {
        let config = self.config;
        // Dropout draws for every sequence: what they share would share its dropout too.
        let prefix = config.prefix_sharing && config.dropout == 0.0;
        Stepping {
            max_norm: (config.max_grad_norm > 0.0).then_some(config.max_grad_norm),
            packing: Packing { prefix, ..config.packing() },
        }
    }

    fn rates(&self, step: usize, _name: &str) -> Rates {
        let lr = self.config.learning_rate(self.steps()).at(step);
        Rates { lr, weight_decay: self.config.weight_decay }
    }

    fn dropout_seed(&self) -> Option<u32> {
        (self.config.dropout > 0.0).then_some(self.config.seed)
    }

    fn cadence(&self) -> Option<Cadence> {
        let TrainConfig { checkpoint, checkpoint_every, checkpoint_minutes, keep_checkpoint, respond, .. } =
            *self.config;
        let at_the_end = respond || keep_checkpoint;
        checkpoint.then_some(Cadence { steps: checkpoint_every, seconds: 60.0 * checkpoint_minutes, at_the_end })
    }

    fn start_epoch(&self, order: &mut OrderStream) -> Vec<usize> {
        self.train.start(order)
    }

    fn batches(&self, permutation: &[usize], step: usize) -> Vec<Batch> {
        let together = self.config.grad_accum;
        (step * together..(step + 1) * together).map(|index| self.train.batch(permutation, index)).collect()
    }

    fn keeps_along(&self) -> bool {
        true
    }

    fn initial_losses(&self, model: &Gpt2, stop: &AtomicBool) -> Evaluated {
        self.evaluation(&model.valid(), &mut self.order(), stop)
    }

    fn losses(&self, step: usize, _: f64, model: &Gpt2, order: &mut OrderStream, stop: &AtomicBool) -> Evaluated {
        if !step.is_multiple_of(self.config.eval_every) {
            return Evaluated::Not;
        }
        self.evaluation(&model.valid(), order, stop)
    }

    /// Greedy continuation of the first validation prompt, not stopped at end-of-text.
    fn sample(&self, model: &Gpt2, epoch: usize) -> Result<Option<Event>, TrainError> {
        let Some(example) = self.data.examples(Part::Val).first().filter(|_| self.config.sample_tokens > 0) else {
            return Ok(None);
        };
        let encoder = self.config.encoder(self.tokenizer);
        let mut ids = encoder.ids(&self.config.prompt_style.prompt(example))?;
        let options = GenerateOptions::greedy(self.config.sample_tokens).within(self.tokenizer.vocab_size());
        ids.extend(model.generate(&ids, &options));
        let text = self.tokenizer.decode(&ids)?;
        Ok(Some(Event::Sample { epoch, ids, text }))
    }

    /// On the batches that were measured before training. The order is a stream of its own, so that nothing else is
    /// shifted.
    fn final_losses(&self, model: &Gpt2, stop: &AtomicBool) -> Option<Event> {
        let val = self.val.as_ref()?;
        let mut order = self.order();
        let go_on = || !stop.load(Ordering::Relaxed);
        let train = evaluate(model, &self.train, &mut order, self.measure(false), go_on)?;
        let val = evaluate(model, val, &mut order, self.measure(true), go_on)?;
        Some(Event::Final {
            step: self.steps().saturating_sub(1),
            train_loss: train.loss,
            val_loss: val.loss,
            val_token_loss: val.token_loss(),
            val_perplexity: val.token_loss().exp(),
        })
    }
}

/// What to do about a part that is too small, by the settings that made it.
fn advised(fault: DataError, config: &TrainConfig) -> DataError {
    let DataError::PartTooSmall { part, examples, total, needed, .. } = fault else { return fault };
    let own = !config.train_data.is_empty();
    let remedy = match (part, own) {
        ("val", true) => "give it with --val-data, or go without evaluations with --no-eval".to_owned(),
        ("val", false) => {
            format!(
                "give it a share of the {} in --split, add data, or go without evaluations with --no-eval",
                config.split
            )
        }
        _ => {
            let limit = if config.train_limit > 0 { ", raise --train-limit" } else { "" };
            let split = if own { String::new() } else { format!(", give it more of the {} in --split", config.split) };
            format!("add data, lower --batch-size{limit}{split}")
        }
    };
    DataError::PartTooSmall { part, examples, total, needed, remedy }
}
