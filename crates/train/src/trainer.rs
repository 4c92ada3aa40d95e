//! The loop.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer},
    tensor::Tensor,
};
use gptune_data::{Batch, DataError, Loader, Order, OrderStream, Part, Tokenizer};
use gptune_kernels::{AdamW, GradientScale, squared_norm};
use gptune_model::{GenerateOptions, Gpt2, Supervised};

use crate::{
    Measure, Observer, Packing, Precision, Prepared, TrainConfig, TrainError, evaluate, finite::is_usable,
    precision::LossScale,
};
use gptune_run::{Event, peak_memory_bytes};

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
    /// Something was no number any more; the model of the last [`Observer::keep`] is the last good one.
    NotFinite(NotFinite),
}

/// What was no finite number. Steps count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFinite {
    /// The loss before the first step.
    Start,
    /// The loss of a step.
    Step(usize),
    /// The loss of the evaluation after a step.
    Evaluation(usize),
    /// A parameter, or the loss that the model has with it, after a step.
    Model(usize),
    /// The gradients of a step in `f16`, however little the loss was scaled.
    Gradients(usize),
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("the loss before training is not a number"),
            Self::Step(step) => write!(f, "the loss of step {step} is not a number"),
            Self::Evaluation(step) => write!(f, "the loss of the evaluation after step {step} is not a number"),
            Self::Model(step) => write!(f, "the model that step {step} left is not made of finite numbers"),
            Self::Gradients(step) => {
                write!(f, "the gradients of step {step} are not finite in f16, however little the loss is scaled")
            }
        }
    }
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The model, on a plain device.
    pub model: Gpt2,
    /// How it ended.
    pub ending: Ending,
    /// Updates made: steps, less those that updated nothing.
    pub steps: usize,
}

impl Outcome {
    /// The outcome after the step `last`. No loss has been computed since: that of
    /// its own batch tells whether the model is one to keep.
    pub(crate) fn new(model: &Gpt2, ending: Ending, updates: usize, last: Option<(usize, &Batch)>) -> Self {
        let model = model.valid();
        let broken = last.filter(|(_, batch)| !is_usable(&model, batch));
        let ending = broken.map_or(ending, |(step, _)| Ending::NotFinite(NotFinite::Model(step)));
        Self { model, ending, steps: updates }
    }

    pub(crate) fn not_finite(model: &Gpt2, what: NotFinite, updates: usize) -> Self {
        Self { model: model.valid(), ending: Ending::NotFinite(what), steps: updates }
    }
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
        // Not within the match: a second owner of the parameters would live through all steps, which then copy them.
        let initial = self.evaluation(&model.valid(), &mut self.order(), stop);
        let outcome = match initial {
            Evaluated::Stopped => Outcome::new(&model, Ending::Interrupted, 0, None),
            Evaluated::Not => self.epochs(model, observer, stop)?,
            Evaluated::Losses(train_loss, val_loss) => {
                observer.event(&Event::Initial { train_loss, val_loss })?;
                if train_loss.is_finite() && val_loss.is_finite() {
                    self.epochs(model, observer, stop)?
                } else {
                    Outcome::not_finite(&model, NotFinite::Start, 0)
                }
            }
        };
        gptune_kernels::release_buffers();
        if !matches!(outcome.ending, Ending::NotFinite(_)) && outcome.steps > 0 {
            observer.keep(&outcome.model, outcome.steps)?;
        }
        if outcome.ending == Ending::Completed
            && let Some(last) = self.final_losses(&outcome.model, stop)
        {
            observer.event(&last)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let interrupted = outcome.ending == Ending::Interrupted;
        observer.event(&Event::End { seconds, peak_memory_bytes: peak_memory_bytes(), interrupted })?;
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
        let packing = self.training_packing();
        let (mut step, mut updated, mut tokens_seen) = (0, 0, 0);
        let mut newest: Option<(usize, Batch)> = None;
        for epoch in 1..=config.epochs {
            let mut batches = self.train.iter(&mut order);
            loop {
                let together: Vec<Batch> = batches.by_ref().take(config.grad_accum).collect();
                if together.len() < config.grad_accum || step == self.steps() {
                    break;
                }
                let began = Instant::now();
                let (new, taken) = updates.step(model, config.lr, &together, packing);
                model = new;
                if !taken.loss.is_finite() {
                    return Ok(Outcome::not_finite(&model, NotFinite::Step(step), updated));
                }
                let padded_tokens: usize = together.iter().map(Batch::padded_tokens).sum();
                tokens_seen += padded_tokens;
                updated += usize::from(!taken.skipped);
                observer.event(&Event::Step {
                    epoch,
                    step,
                    loss: taken.loss,
                    lr: config.lr,
                    tokens: together.iter().map(|batch| batch.tokens).sum(),
                    padded_tokens,
                    seconds: began.elapsed().as_secs_f64(),
                    grad_norm: taken.grad_norm,
                    loss_scale: taken.loss_scale,
                    skipped: taken.skipped,
                })?;
                if updates.loss_scale.as_ref().is_some_and(LossScale::is_exhausted) {
                    return Ok(Outcome::not_finite(&model, NotFinite::Gradients(step), updated));
                }
                if step.is_multiple_of(config.eval_every) {
                    let order = evaluation_order.as_mut().unwrap_or(&mut order);
                    let evaluated = self.evaluation(&model.valid(), order, stop);
                    match evaluated {
                        Evaluated::Not => {}
                        Evaluated::Stopped => {
                            let last = together.last().map(|batch| (step, batch));
                            return Ok(Outcome::new(&model, Ending::Interrupted, updated, last));
                        }
                        Evaluated::Losses(train_loss, val_loss) => {
                            observer.event(&Event::Eval { epoch, step, tokens_seen, train_loss, val_loss })?;
                            if !(train_loss.is_finite() && val_loss.is_finite()) {
                                return Ok(Outcome::not_finite(&model, NotFinite::Evaluation(step), updated));
                            }
                        }
                    }
                }
                newest = together.into_iter().last().map(|batch| (step, batch));
                step += 1;
                if stop.load(Ordering::Relaxed) && step < self.steps() {
                    let last = newest.as_ref().map(|(step, batch)| (*step, batch));
                    return Ok(Outcome::new(&model, Ending::Interrupted, updated, last));
                }
            }
            let last = newest.as_ref().map(|(step, batch)| (*step, batch));
            let is_last = epoch == config.epochs || step == self.steps();
            let ending = if is_last { Ending::Completed } else { Ending::Interrupted };
            let so_far = Outcome::new(&model, ending, updated, last);
            if matches!(so_far.ending, Ending::NotFinite(_)) {
                return Ok(so_far);
            }
            // A run that ends within an epoch has no sample after it, as before.
            let whole = step == epoch * self.steps_per_epoch();
            if !is_last {
                observer.keep(&so_far.model, updated)?;
            }
            if whole && let Some(sample) = self.sample(&so_far.model, epoch)? {
                observer.event(&sample)?;
            }
            if is_last {
                return Ok(so_far);
            }
        }
        unreachable!("the last epoch returns")
    }

    /// How training batches are computed. Dropout draws for every sequence: what they share would share its dropout
    /// too.
    pub(crate) fn training_packing(&self) -> Packing {
        let config = self.config;
        Packing { prefix: config.prefix_sharing && config.dropout == 0.0, ..config.packing() }
    }

    /// Losses on the training and the validation part.
    fn evaluation(&self, model: &Gpt2, order: &mut OrderStream, stop: &AtomicBool) -> Evaluated {
        let Some(val) = self.val.as_ref() else { return Evaluated::Not };
        let measure = self.measure(false);
        let mut loss = |loader| evaluate(model, loader, order, measure, || !stop.load(Ordering::Relaxed));
        let losses = loss(&self.train).and_then(|train| Some((train.loss, loss(val)?.loss)));
        losses.map_or(Evaluated::Stopped, |(train, val)| Evaluated::Losses(train, val))
    }

    /// The losses of the finished model, on the batches that were measured before training. The order is a stream of
    /// its own, so that nothing else is shifted.
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

    fn measure(&self, sequences: bool) -> Measure {
        Measure { batches: self.config.eval_batches, packing: self.config.packing(), sequences }
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

    fn order(&self) -> OrderStream {
        OrderStream::new(self.config.order, self.config.seed)
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

/// What came of an evaluation.
enum Evaluated {
    /// None is wanted.
    Not,
    /// Somebody asked to stop.
    Stopped,
    /// On the training and on the validation part.
    Losses(f64, f64),
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

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    /// Before the update: the mean over the targets of all batches.
    pub loss: f64,
    /// Of all gradients together, before clipping, where it was needed.
    pub grad_norm: Option<f64>,
    /// What the loss was multiplied by.
    pub loss_scale: Option<f64>,
    /// Nothing was updated, because scaled gradients were not finite.
    pub skipped: bool,
}

impl Updates {
    pub(crate) fn new(adamw: AdamW) -> Self {
        let scale = adamw.gradient_scale.clone();
        Self { optimizer: ModuleOptimizer::from(adamw), scale, max_norm: None, loss_scale: None }
    }

    /// One update from the gradients of one or more batches, unless the loss is not a number.
    ///
    /// Scaled gradients that are not finite make no update, but the scale smaller.
    pub(crate) fn step(&mut self, model: Gpt2, lr: f64, batches: &[Batch], packing: Packing) -> (Gpt2, Taken) {
        let all: usize = batches.iter().map(Batch::target_tokens).sum();
        let loss_scale = self.loss_scale.as_ref().map(|scale| scale.factor);
        let mut accumulator = GradientsAccumulator::new();
        let mut taken = Taken { loss: 0.0, grad_norm: None, loss_scale, skipped: false };
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
            taken.loss += f64::from(loss.clone().into_scalar::<f32>());
            if !taken.loss.is_finite() {
                return (model, taken);
            }
            let loss = loss_scale.map_or(loss.clone(), |scale| loss * scale);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            accumulator.accumulate(&model, gradients);
        }
        let gradients = accumulator.grads();
        if self.max_norm.is_some() || self.loss_scale.is_some() {
            let norm = norm(&model, &gradients) / loss_scale.unwrap_or(1.0);
            taken.grad_norm = Some(norm);
            if let Some(scale) = &mut self.loss_scale {
                scale.update(norm.is_finite());
                if !norm.is_finite() {
                    return (model, Taken { grad_norm: None, skipped: true, ..taken });
                }
            }
            // As in `torch.nn.utils.clip_grad_norm_`.
            let clipping = self.max_norm.map_or(1.0, |max_norm| (max_norm / (norm + 1e-6)).min(1.0));
            #[allow(clippy::cast_possible_truncation)]
            self.scale.set((clipping / loss_scale.unwrap_or(1.0)) as f32);
        }
        (self.optimizer.step(lr, model, gradients), taken)
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use gptune_model::Gpt2Config;

    use super::*;
    use crate::formula_weights;

    fn model() -> Gpt2 {
        let config = Gpt2Config {
            n_layer: 1,
            n_head: 2,
            n_embd: 8,
            n_positions: 8,
            vocab_size: 20,
            ..Gpt2Config::named("124M").unwrap_or_else(|| unreachable!("it is a released size"))
        };
        formula_weights(Gpt2::init(&config, &Device::flex().autodiff()))
    }

    fn batch() -> Batch {
        let inputs = vec![1, 2, 3, 4, 5, 6, 7, 8];
        Batch { rows: 2, width: 4, inputs, targets: vec![2, 3, 4, 5, 6, 7, 8, 9], tokens: 8 }
    }

    /// The embedding after a step, and what it did.
    fn step(loss_scale: Option<f64>, max_norm: Option<f64>) -> (Vec<f32>, Taken) {
        // A large epsilon: without it, AdamW does not see a factor of all gradients.
        let mut updates = Updates::new(AdamW { eps: 1e-2, ..AdamW::default() });
        updates.max_norm = max_norm;
        updates.loss_scale = loss_scale.map(|factor| LossScale { factor, ..LossScale::default() });
        let (model, taken) = updates.step(model(), 1e-2, &[batch()], Packing::default());
        (model.wte.weight.val().into_data().try_to_vec().unwrap(), taken)
    }

    #[test]
    fn a_scaled_loss_makes_the_same_update() {
        let (plain, without) = step(None, None);
        let (scaled, with) = step(Some(1024.0), None);
        // A power of two changes no digit.
        assert!(plain == scaled);
        assert_eq!((without.grad_norm, without.loss_scale), (None, None));
        assert_eq!((with.loss_scale, with.skipped, with.loss), (Some(1024.0), false, without.loss));
        let (clipped, without) = step(None, Some(0.01));
        let (clipped_and_scaled, with) = step(Some(1024.0), Some(0.01));
        assert_eq!(without.grad_norm, with.grad_norm);
        assert!(clipped == clipped_and_scaled && clipped != plain);
    }

    #[test]
    fn gradients_that_are_not_finite_update_nothing_and_are_told() {
        let before: Vec<f32> = model().wte.weight.val().into_data().try_to_vec().unwrap();
        let (after, taken) = step(Some(1e39), None);
        assert_eq!((after, taken.skipped, taken.grad_norm), (before, true, None));
        assert!(taken.loss.is_finite());
        let mut scale = LossScale { factor: 1.0, ..LossScale::default() };
        assert!(!scale.is_exhausted());
        scale.update(false);
        assert!(scale.is_exhausted(), "less than the loss itself is no help against overflow");
    }
}
