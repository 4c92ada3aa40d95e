//! The loop, the same for whatever is learned.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::module::Module;
use gptune_data::Batch;
use gptune_run::{Best, Event, Sink, peak_memory_bytes};

use crate::{
    Ending, Keeper, NotFinite, Outcome, TrainError, TrainState,
    finite::is_usable,
    formula::split_mix_64,
    objective::{Cadence, Evaluated, Objective},
    precision::LossScale,
    step::Stepping,
};

/// Who is around while a run goes on.
pub(crate) struct Around<'a> {
    /// Is told what happens.
    pub sink: &'a mut dyn Sink,
    /// Keeps models and states.
    pub keeper: &'a mut dyn Keeper,
    /// Set by somebody who wants the run to end.
    pub stop: &'a AtomicBool,
}

impl Around<'_> {
    fn wants_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Begins a run: tells of it, measures the model, and goes on to the end.
pub(crate) fn begin(
    objective: &dyn Objective,
    mut state: TrainState,
    around: &mut Around<'_>,
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let run = tracing::info_span!("run").entered();
    let [train_examples, val_examples] = objective.examples();
    around.sink.event(&Event::Start {
        epochs: objective.epochs(),
        steps_per_epoch: objective.steps_per_epoch(),
        steps: objective.steps(),
        parameters: objective.trained_numbers(&state.model),
        train_examples,
        val_examples,
    })?;
    if objective.keeps_along() {
        around.keeper.keep(&state.model.valid(), 0)?;
    }
    if around.wants_to_stop() {
        return conclude(objective, state, Ending::Interrupted, None, started, around);
    }
    match objective.initial_losses(&state.model, around.stop) {
        Evaluated::Stopped => return conclude(objective, state, Ending::Interrupted, None, started, around),
        Evaluated::Not => {}
        Evaluated::Losses(train_loss, val_loss) => {
            around.sink.event(&Event::Initial { train_loss, val_loss })?;
            if !(train_loss.is_finite() && val_loss.is_finite()) {
                let ending = Ending::NotFinite(NotFinite::Start);
                return conclude(objective, state, ending, None, started, around);
            }
        }
    }
    state.permutation = objective.start_epoch(&mut state.order);
    state.seconds = started.elapsed().as_secs_f64();
    drop(run);
    go_on(objective, state, around)
}

/// Takes the steps that are left.
pub(crate) fn go_on(
    objective: &dyn Objective,
    mut state: TrainState,
    around: &mut Around<'_>,
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let _run = tracing::info_span!("run").entered();
    let (stepping, steps) = (objective.stepping(), objective.steps());
    let (cadence, before) = (objective.cadence(), state.seconds);
    let mut newest: Option<Batch> = None;
    let mut just_stepped = false;
    let mut stored = Instant::now();
    let ending = loop {
        if let Some(ending) = evaluation(objective, &mut state, around)? {
            break ending;
        }
        if just_stepped && around.wants_to_stop() && state.step < steps {
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
                tracing::info!(step = state.step, ends, many, long_ago, "storing the state");
                around.keeper.store(&state)?;
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
                    around.keeper.keep(&model, state.updates)?;
                }
                // A run that ends within an epoch has no sample after it.
                if whole && let Some(sample) = objective.sample(&model, state.epoch)? {
                    around.sink.event(&sample)?;
                }
            }
            if is_last {
                break Ending::Completed;
            }
            state.epoch += 1;
            state.in_epoch = 0;
            state.permutation = objective.start_epoch(&mut state.order);
        }
        let stepped;
        (state, stepped) = take(objective, stepping, state, around)?;
        match stepped {
            Ok(batch) => newest = batch,
            Err(what) => break Ending::NotFinite(what),
        }
        just_stepped = true;
    };
    let stores =
        |cadence: Cadence| ending == Ending::Interrupted || ending == Ending::OutOfPatience && cadence.at_the_end;
    if cadence.is_some_and(stores) {
        tracing::info!(step = state.step, ?ending, "storing the state");
        state.seconds = before + started.elapsed().as_secs_f64();
        around.keeper.store(&state)?;
    }
    state.seconds = before;
    conclude(objective, state, ending, newest.as_ref(), started, around)
}

/// Takes a step; gives its last batch, or what was no finite number.
fn take(
    objective: &dyn Objective,
    stepping: Stepping,
    mut state: TrainState,
    around: &mut Around<'_>,
) -> Result<(TrainState, Result<Option<Batch>, NotFinite>), TrainError> {
    let _epoch = tracing::info_span!("epoch", epoch = state.epoch).entered();
    let _step = tracing::debug_span!("step", step = state.step).entered();
    let batches = objective.batches(&state.permutation, state.in_epoch);
    let began = Instant::now();
    if let Some(seed) = objective.dropout_seed() {
        state.model.wte.weight.val().device().seed(mixed(seed, state.step));
    }
    let rates = |name: &str, dimensions| objective.rates(state.step, name, dimensions);
    let (model, taken) = stepping.take(state.model, &mut state.optimizer, &mut state.loss_scale, &batches, &rates);
    state.model = model;
    if taken.skipped {
        tracing::warn!(
            loss_scale = taken.loss_scale,
            next_loss_scale = state.loss_scale.as_ref().map(|scale| scale.factor),
            "gradients are not finite under the loss scale; nothing is updated"
        );
    }
    tracing::debug!(
        sequences = batches.iter().map(|batch| batch.sequences.len()).sum::<usize>(),
        batches = batches.len(),
        loss = taken.loss,
        grad_norm = taken.grad_norm,
        "took a step"
    );
    if !taken.loss.is_finite() {
        let step = state.step;
        return Ok((state, Err(NotFinite::Step(step))));
    }
    let padded_tokens: usize = batches.iter().map(Batch::padded_tokens).sum();
    let (epoch, step) = (state.epoch, state.step);
    state.tokens_seen += padded_tokens;
    state.updates += usize::from(!taken.skipped);
    state.loss = taken.loss;
    state.step += 1;
    state.in_epoch += 1;
    around.sink.event(&Event::Step {
        epoch,
        step,
        loss: taken.loss,
        lr: objective.rates(step, "", 2).lr,
        groups: objective.groups(step),
        tokens: batches.iter().map(Batch::tokens).sum(),
        padded_tokens,
        seconds: began.elapsed().as_secs_f64(),
        grad_norm: taken.grad_norm,
        loss_scale: taken.loss_scale,
        skipped: taken.skipped,
    })?;
    if state.loss_scale.as_ref().is_some_and(LossScale::is_exhausted) {
        return Ok((state, Err(NotFinite::Gradients(step))));
    }
    Ok((state, Ok(batches.into_iter().last())))
}

/// Makes the evaluation after the newest step, if one is due and was not made; says how the run ends by it, if it does.
fn evaluation(
    objective: &dyn Objective,
    state: &mut TrainState,
    around: &mut Around<'_>,
) -> Result<Option<Ending>, TrainError> {
    if state.evaluated != state.step {
        let (step, epoch, tokens_seen) = (state.step - 1, state.epoch, state.tokens_seen);
        let order = state.evaluation_order.as_mut().unwrap_or(&mut state.order);
        let before = order.clone();
        let _evaluation = tracing::debug_span!("evaluation", step).entered();
        match objective.losses(step, state.loss, &state.model, order, around.stop) {
            Evaluated::Not => {}
            Evaluated::Stopped => {
                // It is made when the run goes on.
                *order = before;
                return Ok(Some(Ending::Interrupted));
            }
            Evaluated::Losses(train_loss, val_loss) => {
                around.sink.event(&Event::Eval { epoch, step, tokens_seen, train_loss, val_loss })?;
                if !(train_loss.is_finite() && val_loss.is_finite()) {
                    return Ok(Some(Ending::NotFinite(NotFinite::Evaluation(step))));
                }
                judge(objective, state, Best { step, val_loss }, around)?;
            }
        }
        state.evaluated = state.step;
    }
    // A run that goes on from here is as patient as the one before it.
    let patience = objective.patience();
    let is_over = patience > 0 && state.waited >= patience && state.step < objective.steps();
    Ok(is_over.then_some(Ending::OutOfPatience))
}

/// Takes note of a validation loss, and has the model kept if it is the lowest.
fn judge(
    objective: &dyn Objective,
    state: &mut TrainState,
    now: Best,
    around: &mut Around<'_>,
) -> Result<(), TrainError> {
    if state.best.is_some_and(|best| best.val_loss <= now.val_loss) {
        state.waited += 1;
        return Ok(());
    }
    tracing::debug!(step = now.step, val_loss = now.val_loss, "the lowest validation loss so far");
    (state.best, state.waited) = (Some(now), 0);
    if objective.keeps_best() {
        around.keeper.keep_best(&state.model.valid(), now)?;
    }
    Ok(())
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
    around: &mut Around<'_>,
) -> Result<Outcome, TrainError> {
    let before = state.seconds;
    let newest = newest.filter(|_| !matches!(ending, Ending::NotFinite(_)));
    let last = newest.map(|batch| (state.step - 1, batch));
    let steps = state.step;
    let mut outcome = Outcome::new(&state.model, ending, state.updates, state.best, last);
    drop(state);
    gptune_kernels::release_buffers();
    outcome.model = objective.finished(outcome.model);
    if !matches!(outcome.ending, Ending::NotFinite(_)) && outcome.steps > 0 {
        around.keeper.keep(&outcome.model, outcome.steps)?;
    }
    if outcome.ending.is_regular() {
        match objective.final_losses(&outcome.model, steps, around.stop) {
            Some(last) => {
                around.sink.event(&last)?;
                if let Event::Final { step, val_loss, .. } = last
                    && outcome.best.is_none_or(|best| val_loss < best.val_loss)
                {
                    let best = Best { step, val_loss };
                    outcome.best = Some(best);
                    if objective.keeps_best() {
                        around.keeper.keep_best(&outcome.model, best)?;
                    }
                }
            }
            // Whoever goes on takes the last steps again, and measures then.
            None if objective.measures_at_the_end() => outcome.ending = Ending::Interrupted,
            None => {}
        }
    }
    let seconds = before + started.elapsed().as_secs_f64();
    around.sink.event(&Event::End {
        seconds,
        peak_memory_bytes: peak_memory_bytes(),
        interrupted: outcome.ending == Ending::Interrupted,
        out_of_patience: outcome.ending == Ending::OutOfPatience,
        problem: if let Ending::NotFinite(what) = outcome.ending { Some(what.to_string()) } else { None },
    })?;
    Ok(outcome)
}
