//! The loop, the same for whatever is learned.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::module::Module;
use gptune_data::Batch;
use gptune_run::{Event, peak_memory_bytes};

use crate::{
    Ending, NotFinite, Observer, Outcome, TrainError, TrainState,
    finite::is_usable,
    formula::split_mix_64,
    objective::{Evaluated, Objective},
    precision::LossScale,
};

/// Begins a run: tells of it, measures the model, and goes on to the end.
pub(crate) fn begin(
    objective: &dyn Objective,
    mut state: TrainState,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let [train_examples, val_examples] = objective.examples();
    observer.event(&Event::Start {
        epochs: objective.epochs(),
        steps_per_epoch: objective.steps_per_epoch(),
        steps: objective.steps(),
        parameters: state.model.num_params(),
        train_examples,
        val_examples,
    })?;
    if objective.keeps_along() {
        observer.keep(&state.model.valid(), 0)?;
    }
    match objective.initial_losses(&state.model, stop) {
        Evaluated::Stopped => return conclude(objective, state, Ending::Interrupted, None, started, observer, stop),
        Evaluated::Not => {}
        Evaluated::Losses(train_loss, val_loss) => {
            observer.event(&Event::Initial { train_loss, val_loss })?;
            if !(train_loss.is_finite() && val_loss.is_finite()) {
                let ending = Ending::NotFinite(NotFinite::Start);
                return conclude(objective, state, ending, None, started, observer, stop);
            }
        }
    }
    state.permutation = objective.start_epoch(&mut state.order);
    state.seconds = started.elapsed().as_secs_f64();
    go_on(objective, state, observer, stop)
}

/// Takes the steps that are left.
pub(crate) fn go_on(
    objective: &dyn Objective,
    mut state: TrainState,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let (stepping, steps) = (objective.stepping(), objective.steps());
    let (cadence, before) = (objective.cadence(), state.seconds);
    let mut newest: Option<Batch> = None;
    let mut just_stepped = false;
    let mut stored = Instant::now();
    let ending = loop {
        if let Some(ending) = evaluation(objective, &mut state, observer, stop)? {
            break ending;
        }
        if just_stepped && stop.load(Ordering::Relaxed) && state.step < steps {
            break Ending::Interrupted;
        }
        let (whole, is_last) = (state.in_epoch == objective.steps_per_epoch(), state.step == steps);
        let ends = whole || is_last;
        if let Some(cadence) = cadence.filter(|_| just_stepped) {
            let long_ago = cadence.seconds > 0.0 && stored.elapsed().as_secs_f64() >= cadence.seconds;
            let many = cadence.steps > 0 && state.step.is_multiple_of(cadence.steps);
            // At the end of an epoch before anything is made of it: whoever goes on from here does that.
            if is_last && cadence.at_the_end || !is_last && (ends || many || long_ago) {
                state.seconds = before + started.elapsed().as_secs_f64();
                observer.store(&state)?;
                stored = Instant::now();
            }
        }
        if ends {
            if objective.keeps_along() {
                let model = state.model.valid();
                // Before it is kept or looked at. A run that goes on here has the batch no more.
                let newest = newest.take().or_else(|| newest_of(objective, &state));
                if newest.is_some_and(|batch| !is_usable(&model, &batch)) {
                    break Ending::NotFinite(NotFinite::Model(state.step - 1));
                }
                if !is_last {
                    observer.keep(&model, state.updates)?;
                }
                // A run that ends within an epoch has no sample after it.
                if whole && let Some(sample) = objective.sample(&model, state.epoch)? {
                    observer.event(&sample)?;
                }
            }
            if is_last {
                break Ending::Completed;
            }
            state.epoch += 1;
            state.in_epoch = 0;
            state.permutation = objective.start_epoch(&mut state.order);
        }
        let batches = objective.batches(&state.permutation, state.in_epoch);
        let began = Instant::now();
        if let Some(seed) = objective.dropout_seed() {
            state.model.wte.weight.val().device().seed(mixed(seed, state.step));
        }
        let rates = |name: &str| objective.rates(state.step, name);
        let (model, taken) = stepping.take(state.model, &mut state.optimizer, &mut state.loss_scale, &batches, &rates);
        state.model = model;
        if !taken.loss.is_finite() {
            break Ending::NotFinite(NotFinite::Step(state.step));
        }
        let padded_tokens: usize = batches.iter().map(Batch::padded_tokens).sum();
        let (epoch, step) = (state.epoch, state.step);
        state.tokens_seen += padded_tokens;
        state.updates += usize::from(!taken.skipped);
        state.loss = taken.loss;
        state.step += 1;
        state.in_epoch += 1;
        observer.event(&Event::Step {
            epoch,
            step,
            loss: taken.loss,
            lr: objective.rates(step, "").lr,
            tokens: batches.iter().map(|batch| batch.tokens).sum(),
            padded_tokens,
            seconds: began.elapsed().as_secs_f64(),
            grad_norm: taken.grad_norm,
            loss_scale: taken.loss_scale,
            skipped: taken.skipped,
        })?;
        if state.loss_scale.as_ref().is_some_and(LossScale::is_exhausted) {
            break Ending::NotFinite(NotFinite::Gradients(step));
        }
        newest = batches.into_iter().last();
        just_stepped = true;
    };
    if ending == Ending::Interrupted && cadence.is_some() {
        state.seconds = before + started.elapsed().as_secs_f64();
        observer.store(&state)?;
    }
    state.seconds = before;
    conclude(objective, state, ending, newest.as_ref(), started, observer, stop)
}

/// Makes the evaluation after the newest step, if one is due and was not made; says how the run ends by it, if it does.
fn evaluation(
    objective: &dyn Objective,
    state: &mut TrainState,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Option<Ending>, TrainError> {
    if state.evaluated == state.step {
        return Ok(None);
    }
    let (step, epoch, tokens_seen) = (state.step - 1, state.epoch, state.tokens_seen);
    let order = state.evaluation_order.as_mut().unwrap_or(&mut state.order);
    let before = order.clone();
    match objective.losses(step, state.loss, &state.model, order, stop) {
        Evaluated::Not => {}
        Evaluated::Stopped => {
            // It is made when the run goes on.
            *order = before;
            return Ok(Some(Ending::Interrupted));
        }
        Evaluated::Losses(train_loss, val_loss) => {
            observer.event(&Event::Eval { epoch, step, tokens_seen, train_loss, val_loss })?;
            if !(train_loss.is_finite() && val_loss.is_finite()) {
                return Ok(Some(Ending::NotFinite(NotFinite::Evaluation(step))));
            }
        }
    }
    state.evaluated = state.step;
    Ok(None)
}

/// The batch of the newest step.
fn newest_of(objective: &dyn Objective, state: &TrainState) -> Option<Batch> {
    objective.batches(&state.permutation, state.in_epoch.checked_sub(1)?).pop()
}

/// A seed for what a step draws, from the seed of the run: the draws of a step do not depend on those before it, which
/// nobody could restore.
fn mixed(seed: u32, step: usize) -> u64 {
    split_mix_64(u64::from(seed) << 32 | step as u64)
}

/// Gives back the memory of training, hands over the model, and measures it.
fn conclude(
    objective: &dyn Objective,
    state: TrainState,
    ending: Ending,
    newest: Option<&Batch>,
    started: Instant,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let before = state.seconds;
    let newest = newest.filter(|_| !matches!(ending, Ending::NotFinite(_)));
    let last = newest.map(|batch| (state.step - 1, batch));
    let mut outcome = Outcome::new(&state.model, ending, state.updates, last);
    drop(state);
    gptune_kernels::release_buffers();
    outcome.model = objective.finished(outcome.model);
    if !matches!(outcome.ending, Ending::NotFinite(_)) && outcome.steps > 0 {
        observer.keep(&outcome.model, outcome.steps)?;
    }
    if outcome.ending == Ending::Completed
        && let Some(last) = objective.final_losses(&outcome.model, stop)
    {
        observer.event(&last)?;
    }
    let seconds = before + started.elapsed().as_secs_f64();
    let interrupted = outcome.ending == Ending::Interrupted;
    observer.event(&Event::End { seconds, peak_memory_bytes: peak_memory_bytes(), interrupted })?;
    Ok(outcome)
}
