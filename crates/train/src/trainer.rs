//! The loop.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer},
    tensor::Tensor,
};
use gptune_data::{Batch, Loader, Order, OrderStream, Part, Tokenizer, VOCAB_SIZE};
use gptune_kernels::{AdamW, GradientScale, squared_norm};
use gptune_model::{GenerateOptions, Gpt2, Supervised};

use crate::{
    Event, Observer, Packing, Precision, Prepared, TrainConfig, TrainError, evaluate, finite::is_usable,
    peak_memory_bytes, precision::LossScale,
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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every step was taken.
    Completed,
    /// Somebody asked to stop.
    Interrupted,
    /// The loss of this step, or of the evaluation after it, or the model that it left, was not
    /// finite; the model of the last [`Observer::keep`] is the last good one.
    NotFinite {
        /// Counting from 0.
        step: usize,
    },
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The model, on a plain device.
    pub model: Gpt2,
    /// How it ended.
    pub ending: Ending,
    /// Updates made.
    pub steps: usize,
}

impl Outcome {
    /// The outcome after `steps` updates. No loss has been computed since the last of them: that of
    /// its own batch tells whether the model is one to keep.
    pub(crate) fn new(model: &Gpt2, ending: Ending, steps: usize, newest: Option<&Batch>) -> Self {
        let model = model.valid();
        let broken = newest.is_some_and(|batch| !is_usable(&model, batch));
        let ending = if broken { Ending::NotFinite { step: steps.saturating_sub(1) } } else { ending };
        Self { model, ending, steps }
    }
}

impl<'a> Trainer<'a> {
    /// A trainer for this data.
    ///
    /// # Errors
    ///
    /// If a part of the data that is needed has no batch.
    pub fn new(config: &'a TrainConfig, data: &'a Prepared, tokenizer: &'a Tokenizer) -> Result<Self, TrainError> {
        let train = data.loader(Part::Train)?;
        if train.len() < config.grad_accum {
            let problem = format!("{} batches make no step; lower it or --batch-size", train.len());
            return Err(TrainError::Setting { key: "grad_accum", problem });
        }
        let val = if config.eval { Some(data.loader(Part::Val)?) } else { None };
        Ok(Self { config, data, tokenizer, train, val })
    }

    /// Optimizer steps of the whole run.
    #[must_use]
    pub fn steps(&self) -> usize {
        let all = self.config.epochs.saturating_mul(self.steps_per_epoch());
        if self.config.max_steps == 0 { all } else { all.min(self.config.max_steps) }
    }

    /// Updates in one pass over the training part; batches that make no whole update are left out.
    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.config.grad_accum
    }

    /// Runs the loop on `model`, whose device has autodiff. Setting `stop` ends it after the step at
    /// hand.
    ///
    /// As in the book's notebook, the order of the data is seeded afresh before the initial
    /// evaluation and again before the first epoch.
    ///
    /// # Errors
    ///
    /// If an observer fails. A loss that is not a number is no error but an [`Ending`].
    pub fn run(&self, model: Gpt2, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let started = Instant::now();
        observer.event(&Event::Start {
            epochs: self.config.epochs,
            steps_per_epoch: self.steps_per_epoch(),
            steps: self.steps(),
            parameters: model.num_params(),
            train_examples: self.train.examples().len(),
            val_examples: self.data.examples(Part::Val).len(),
        })?;
        observer.keep(&model.valid(), 0)?;
        if let Some((train_loss, val_loss)) = self.evaluation(&model.valid(), &mut self.order()) {
            observer.event(&Event::Initial { train_loss, val_loss })?;
        }
        let outcome = self.epochs(model, observer, stop)?;
        if !matches!(outcome.ending, Ending::NotFinite { .. }) {
            observer.keep(&outcome.model, outcome.steps)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        observer.event(&Event::End { seconds, peak_memory_bytes: peak_memory_bytes() })?;
        Ok(outcome)
    }

    fn epochs(&self, mut model: Gpt2, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let config = self.config;
        let mut updates = Updates::new(AdamW {
            betas: [config.beta_1, config.beta_2],
            eps: config.eps,
            weight_decay: config.weight_decay,
            ..AdamW::default()
        });
        updates.max_norm = (config.max_grad_norm > 0.0).then_some(config.max_grad_norm);
        updates.loss_scale = (config.precision == Precision::F16).then(LossScale::default);
        let mut order = self.order();
        // In PyTorch's order evaluations draw from the same stream; in the others they shall not matter.
        let mut evaluation_order = (config.order != Order::Torch).then(|| self.order());
        // Dropout draws for every sequence: what they share would share its dropout too.
        let packing = Packing { prefix: config.prefix_sharing && config.dropout == 0.0, ..config.packing() };
        let (mut step, mut tokens_seen) = (0, 0);
        let mut newest = None;
        for epoch in 1..=config.epochs {
            let mut batches = self.train.iter(&mut order);
            loop {
                let together: Vec<Batch> = batches.by_ref().take(config.grad_accum).collect();
                if together.len() < config.grad_accum {
                    break;
                }
                if step == self.steps() {
                    return Ok(Outcome::new(&model, Ending::Completed, step, newest.as_ref()));
                }
                let began = Instant::now();
                let (updated, loss) = updates.step(model, config.lr, &together, packing);
                model = updated;
                if !loss.is_finite() {
                    return Ok(Outcome::new(&model, Ending::NotFinite { step }, step, None));
                }
                let padded_tokens: usize = together.iter().map(Batch::padded_tokens).sum();
                tokens_seen += padded_tokens;
                observer.event(&Event::Step {
                    epoch,
                    step,
                    loss,
                    lr: config.lr,
                    tokens: together.iter().map(|batch| batch.tokens).sum(),
                    padded_tokens,
                    seconds: began.elapsed().as_secs_f64(),
                })?;
                if step.is_multiple_of(config.eval_every)
                    && let Some((train_loss, val_loss)) =
                        self.evaluation(&model.valid(), evaluation_order.as_mut().unwrap_or(&mut order))
                {
                    if !(train_loss.is_finite() && val_loss.is_finite()) {
                        return Ok(Outcome::new(&model, Ending::NotFinite { step }, step + 1, None));
                    }
                    observer.event(&Event::Eval { epoch, step, tokens_seen, train_loss, val_loss })?;
                }
                step += 1;
                if stop.load(Ordering::Relaxed) && step < self.steps() {
                    return Ok(Outcome::new(&model, Ending::Interrupted, step, together.last()));
                }
                newest = together.into_iter().last();
            }
            if epoch < config.epochs {
                let so_far = Outcome::new(&model, Ending::Interrupted, step, newest.as_ref());
                if matches!(so_far.ending, Ending::NotFinite { .. }) {
                    return Ok(so_far);
                }
                observer.keep(&so_far.model, step)?;
            }
            if let Some(sample) = self.sample(&model.valid(), epoch)? {
                observer.event(&sample)?;
            }
        }
        Ok(Outcome::new(&model, Ending::Completed, step, newest.as_ref()))
    }

    /// Losses on the training and the validation part, in this order.
    fn evaluation(&self, model: &Gpt2, order: &mut OrderStream) -> Option<(f64, f64)> {
        let val = self.val.as_ref()?;
        let packing = self.config.packing();
        let mut loss = |loader| evaluate(model, loader, order, self.config.eval_batches, packing, || ()).loss;
        Some((loss(&self.train), loss(val)))
    }

    /// Greedy continuation of the first validation prompt, not stopped at end-of-text.
    fn sample(&self, model: &Gpt2, epoch: usize) -> Result<Option<Event>, TrainError> {
        let Some(example) = self.data.examples(Part::Val).first().filter(|_| self.config.sample_tokens > 0) else {
            return Ok(None);
        };
        let mut ids = self.tokenizer.encode(&self.config.prompt_style.prompt(example))?;
        let options = GenerateOptions::greedy(self.config.sample_tokens).within(VOCAB_SIZE);
        ids.extend(model.generate(&ids, &options));
        let text = self.tokenizer.decode(&ids)?;
        Ok(Some(Event::Sample { epoch, ids, text }))
    }

    fn order(&self) -> OrderStream {
        OrderStream::new(self.config.order, self.config.seed)
    }
}

/// How the gradients of a step become an update.
pub(crate) struct Updates {
    optimizer: ModuleOptimizer,
    /// What the optimizer multiplies gradients by.
    scale: GradientScale,
    /// Longest gradient, as its norm over all parameters.
    pub max_norm: Option<f64>,
    /// Of products in `f16`.
    pub loss_scale: Option<LossScale>,
}

impl Updates {
    pub(crate) fn new(adamw: AdamW) -> Self {
        let scale = adamw.gradient_scale.clone();
        Self { optimizer: ModuleOptimizer::from(adamw), scale, max_norm: None, loss_scale: None }
    }

    /// One update from the gradients of one or more batches, unless the loss is not a number. Returns
    /// the model and the loss before it: the mean over the targets of all batches.
    ///
    /// Scaled gradients that are not finite make no update, but the scale smaller.
    pub(crate) fn step(&mut self, model: Gpt2, lr: f64, batches: &[Batch], packing: Packing) -> (Gpt2, f64) {
        let all: usize = batches.iter().map(Batch::target_tokens).sum();
        let loss_scale = self.loss_scale.as_ref().map_or(1.0, |scale| scale.factor);
        let mut accumulator = GradientsAccumulator::new();
        let mut value = 0.0;
        for batch in batches {
            let Some(mut supervised) = Supervised::mean(&batch.sequences(packing.rows), packing.prefix) else {
                // Preflight refuses prompts that leave no target, so that this cannot be a whole batch.
                unreachable!("a batch without any target")
            };
            if batches.len() > 1 {
                // Each target weighs the same, whatever batch it is in.
                supervised.scale(batch.target_tokens() as f64 / all as f64);
            }
            let loss = model.loss(&supervised);
            value += f64::from(loss.clone().into_scalar::<f32>());
            if !value.is_finite() {
                return (model, value);
            }
            let loss = if self.loss_scale.is_some() { loss * loss_scale } else { loss };
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            accumulator.accumulate(&model, gradients);
        }
        let gradients = accumulator.grads();
        if self.max_norm.is_some() || self.loss_scale.is_some() {
            let norm = norm(&model, &gradients) / loss_scale;
            if let Some(scale) = &mut self.loss_scale {
                scale.update(norm.is_finite());
                if !norm.is_finite() {
                    return (model, value);
                }
            }
            // As in `torch.nn.utils.clip_grad_norm_`.
            let clipping = self.max_norm.map_or(1.0, |max_norm| (max_norm / (norm + 1e-6)).min(1.0));
            #[allow(clippy::cast_possible_truncation)]
            self.scale.set((clipping / loss_scale) as f32);
        }
        (self.optimizer.step(lr, model, gradients), value)
    }
}

/// The norm of all gradients together.
fn norm(model: &Gpt2, gradients: &GradientsParams) -> f64 {
    struct Squares<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += squared_norm(gradient);
            }
        }
    }
    let mut squares = Squares(gradients, 0.0);
    model.visit(&mut squares);
    squares.1.sqrt()
}
