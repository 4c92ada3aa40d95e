//! Instruction tuning.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::module::Module;
use gptune_data::{Batch, Loader, OrderStream, Part, Tokenizer};
use gptune_model::{GenerateOptions, Gpt2};
use gptune_run::{Checkpoint, Event, Sink};

use crate::{
    AdamW, DecayOn, Keeper, LoopConfig, Measure, OptimConfig, Optimizer, Outcome, Packing, Precision, Prepared, Rates,
    TrainError, TrainState,
    epochs::{self, Around},
    evaluate,
    objective::{Cadence, Evaluated, Objective},
    parameters::Selection,
    precision::LossScale,
    step::Stepping,
};

/// Fine-tunes a model.
#[derive(Debug)]
pub struct Trainer<'a> {
    optim: &'a OptimConfig,
    run: &'a LoopConfig,
    data: &'a Prepared,
    tokenizer: &'a Tokenizer,
    /// The prompt of the first validation example, which is continued after each epoch.
    sampled: Option<Vec<u32>>,
    train: Loader<'a>,
    /// None where no evaluation is wanted.
    val: Option<Loader<'a>>,
    trained: Selection,
    /// Whether the last state is stored, too.
    stores_last: bool,
}

impl<'a> Trainer<'a> {
    /// A trainer for data that were prepared for the tokenizer's model.
    ///
    /// # Errors
    ///
    /// If a value makes no run, or a part of the data that is needed has no batch.
    pub fn new(
        optim: &'a OptimConfig,
        run: &'a LoopConfig,
        data: &'a Prepared,
        tokenizer: &'a Tokenizer,
    ) -> Result<Self, TrainError> {
        optim.validate()?;
        run.validate()?;
        let train = data.training_loader(Part::Train)?;
        if train.len() < optim.grad_accum {
            let problem = format!("{} batches make no step; lower it or --batch-size", train.len());
            return Err(TrainError::Setting { key: "grad_accum", problem });
        }
        let val = if run.eval { Some(data.training_loader(Part::Val)?) } else { None };
        let trained = Selection::new(optim)?;
        let first = if run.sample_tokens > 0 { data.examples(Part::Val, 1, tokenizer)? } else { Vec::new() };
        let encoder = data.config().encoder(tokenizer, data.template());
        let sampled = first.first().map(|example| encoder.prompt(example)).transpose()?;
        Ok(Self { optim, run, data, tokenizer, sampled, train, val, trained, stores_last: run.keep_checkpoint })
    }

    /// Stores the state after the last step too, because something long follows that may be broken off.
    #[must_use]
    pub fn before_long_work(self, follows: bool) -> Self {
        Self { stores_last: self.stores_last || follows, ..self }
    }

    /// Makes sure that `model` can be trained as the settings say, without changing anything.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if a pattern of parameters' names fits none, or nothing is left to train.
    pub fn check(&self, model: &Gpt2) -> Result<(), TrainError> {
        self.trained.check(model)
    }

    /// The token that ends texts.
    #[must_use]
    pub fn end_of_text(&self) -> u32 {
        self.tokenizer.end_of_text()
    }

    /// Numbers of `model` that are trained.
    #[must_use]
    pub fn trained_numbers(&self, model: &Gpt2) -> usize {
        self.trained.numbers(model)
    }

    /// Optimizer steps of the whole run.
    #[must_use]
    pub fn steps(&self) -> usize {
        let all = self.run.epochs.saturating_mul(self.steps_per_epoch());
        if self.run.max_steps == 0 { all } else { all.min(self.run.max_steps) }
    }

    /// Runs the loop on `model`, whose device has autodiff and which drops out as the settings say. Setting `stop` ends it
    /// after the step at hand.
    ///
    /// As in the book's notebook, the order of the data is seeded afresh before the initial
    /// evaluation and again before the first epoch.
    ///
    /// # Errors
    ///
    /// As [`Trainer::check`], or if the sink or the keeper fails. A loss that is not a number is no error but an
    /// [`Ending`](crate::Ending).
    pub fn run(
        &self,
        model: Gpt2,
        sink: &mut dyn Sink,
        keeper: &mut dyn Keeper,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        self.check(&model)?;
        let loss_scale = (self.run.precision == Precision::F16).then(LossScale::default);
        let model = self.trained.mark(model);
        tracing::info!(
            steps = self.steps(),
            trained = self.trained.numbers(&model),
            packing = ?self.stepping().packing,
            groups = ?self.groups(0),
            "beginning"
        );
        let state = TrainState::new(model, self.optimizer(), loss_scale, self.order());
        epochs::begin(self, state, &mut Around { sink, keeper, stop })
    }

    /// Goes on from a state that was stored, with a model of the same sizes on its device, to the end.
    ///
    /// # Errors
    ///
    /// If the state is not one of such a run, or as [`Trainer::run`].
    pub fn resume(
        &self,
        checkpoint: &Checkpoint,
        model: Gpt2,
        sink: &mut dyn Sink,
        keeper: &mut dyn Keeper,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        self.check(&model)?;
        let mut state = TrainState::restore(checkpoint, model, self.optimizer(), self.run.order)?;
        let examples = self.train.examples();
        if state.permutation.len() != examples || state.permutation.iter().any(|&place| place >= examples) {
            let problem = format!("its order is one of {} examples, and there are {examples}", state.permutation.len());
            return Err(checkpoint.fault(problem).into());
        }
        state.model = self.trained.mark(state.model);
        tracing::info!(step = state.step, steps = self.steps(), "going on from a stored state");
        epochs::go_on(self, state, &mut Around { sink, keeper, stop })
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(AdamW { betas: [self.optim.beta_1, self.optim.beta_2], eps: self.optim.eps })
    }

    fn measure(&self, sequences: bool) -> Measure {
        Measure { batches: self.run.eval_batches, packing: self.run.packing(), sequences }
    }

    fn order(&self) -> OrderStream {
        OrderStream::new(self.run.order, self.run.seed)
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
        self.run.epochs
    }

    /// Batches that make no whole update are left out.
    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.optim.grad_accum
    }

    fn steps(&self) -> usize {
        self.steps()
    }

    fn examples(&self) -> [usize; 2] {
        [self.train.examples(), self.data.count(Part::Val)]
    }

    fn trained_numbers(&self, model: &Gpt2) -> usize {
        self.trained_numbers(model)
    }

    fn stepping(&self) -> Stepping {
        // Dropout draws for every sequence: what they share would share its dropout too.
        let prefix = self.run.prefix_sharing && self.run.dropout == 0.0;
        let max_norm = self.optim.max_grad_norm;
        Stepping { max_norm: (max_norm > 0.0).then_some(max_norm), packing: Packing { prefix, ..self.run.packing() } }
    }

    fn rates(&self, step: usize, _name: &str, dimensions: usize) -> Rates {
        let lr = self.optim.learning_rate(self.steps()).at(step);
        let weight_decay = if self.optim.decays(dimensions) { self.optim.weight_decay } else { 0.0 };
        Rates { lr, weight_decay }
    }

    fn groups(&self, step: usize) -> BTreeMap<String, f64> {
        match self.optim.weight_decay_on {
            DecayOn::All => BTreeMap::new(),
            DecayOn::Matrices => [("matrices", 2), ("vectors", 1)]
                .map(|(group, dimensions)| (group.to_owned(), self.rates(step, "", dimensions).lr))
                .into(),
        }
    }

    fn dropout_seed(&self) -> Option<u32> {
        (self.run.dropout > 0.0).then_some(self.run.seed)
    }

    fn cadence(&self) -> Option<Cadence> {
        let LoopConfig { checkpoint, checkpoint_every, checkpoint_minutes, .. } = *self.run;
        let (seconds, at_the_end) = (60.0 * checkpoint_minutes, self.stores_last);
        checkpoint.then_some(Cadence { steps: checkpoint_every, seconds, at_the_end })
    }

    fn start_epoch(&self, order: &mut OrderStream) -> Vec<usize> {
        self.train.start(order)
    }

    fn batches(&self, permutation: &[usize], step: usize) -> Vec<Batch> {
        let together = self.optim.grad_accum;
        (step * together..(step + 1) * together).map(|index| self.train.batch(permutation, index)).collect()
    }

    fn keeps_along(&self) -> bool {
        true
    }

    fn initial_losses(&self, model: &Gpt2, stop: &AtomicBool) -> Evaluated {
        self.evaluation(&model.valid(), &mut self.order(), stop)
    }

    fn losses(&self, step: usize, _: f64, model: &Gpt2, order: &mut OrderStream, stop: &AtomicBool) -> Evaluated {
        if !step.is_multiple_of(self.run.eval_every) {
            return Evaluated::Not;
        }
        self.evaluation(&model.valid(), order, stop)
    }

    fn keeps_best(&self) -> bool {
        self.run.keep_best
    }

    fn patience(&self) -> usize {
        self.run.patience
    }

    /// Greedy continuation of the first validation prompt, not stopped at end-of-text.
    fn sample(&self, model: &Gpt2, epoch: usize) -> Result<Option<Event>, TrainError> {
        let Some(mut ids) = self.sampled.clone() else { return Ok(None) };
        let options = GenerateOptions::greedy(self.run.sample_tokens).within(self.tokenizer.vocab_size());
        ids.extend(model.generate(&ids, &options));
        let text = self.tokenizer.decode(&ids)?;
        Ok(Some(Event::Sample { epoch, ids, text }))
    }

    fn measures_at_the_end(&self) -> bool {
        self.val.is_some()
    }

    /// On the batches that were measured before training. The order is a stream of its own, so that nothing else is
    /// shifted.
    fn final_losses(&self, model: &Gpt2, steps: usize, stop: &AtomicBool) -> Option<Event> {
        let val = self.val.as_ref()?;
        let mut order = self.order();
        let go_on = || !stop.load(Ordering::Relaxed);
        let train = evaluate(model, &self.train, &mut order, self.measure(false), go_on)?;
        let val = evaluate(model, val, &mut order, self.measure(true), go_on)?;
        Some(Event::Final {
            step: steps.saturating_sub(1),
            train_loss: train.loss,
            val_loss: val.loss,
            val_token_loss: val.token_loss(),
            val_perplexity: val.token_loss().exp(),
        })
    }
}
