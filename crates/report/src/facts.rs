//! What the events of a run say, gathered once for everything that shows it.

use gptune_run::Event;

/// The events of a run by what they tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts<'a> {
    pub start: Option<Start>,
    /// Before the first step.
    pub initial: Option<Losses>,
    pub evaluations: Vec<Evaluation>,
    /// After the last step.
    pub last: Option<Last>,
    /// The loss of every step.
    pub batches: Vec<f64>,
    /// The examples' own tokens, all tokens, and the time of all steps without evaluations.
    pub tokens: usize,
    pub padded_tokens: usize,
    pub step_seconds: f64,
    /// Epoch and text.
    pub samples: Vec<(usize, &'a str)>,
    pub end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub epochs: usize,
    pub steps_per_epoch: usize,
    pub steps: usize,
    pub parameters: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Losses {
    pub train: f64,
    pub val: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation {
    pub epoch: usize,
    pub step: usize,
    pub tokens_seen: usize,
    pub losses: Losses,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    pub step: usize,
    pub losses: Losses,
    /// Validation loss over tokens, and its exponential.
    pub token_loss: f64,
    pub perplexity: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub seconds: f64,
    pub peak_memory_bytes: Option<u64>,
}

impl<'a> Facts<'a> {
    pub(crate) fn from_events(events: &'a [Event]) -> Self {
        let mut facts = Self::default();
        for event in events {
            match *event {
                Event::Start { epochs, steps_per_epoch, steps, parameters, .. } => {
                    facts.start = Some(Start { epochs, steps_per_epoch, steps, parameters });
                }
                Event::Initial { train_loss: train, val_loss: val } => facts.initial = Some(Losses { train, val }),
                Event::Step { loss, tokens, padded_tokens, seconds, .. } => {
                    facts.batches.push(loss);
                    facts.tokens += tokens;
                    facts.padded_tokens += padded_tokens;
                    facts.step_seconds += seconds;
                }
                Event::Eval { epoch, step, tokens_seen, train_loss: train, val_loss: val } => {
                    facts.evaluations.push(Evaluation { epoch, step, tokens_seen, losses: Losses { train, val } });
                }
                Event::Sample { epoch, ref text, .. } => facts.samples.push((epoch, text)),
                Event::Final { step, train_loss: train, val_loss: val, val_token_loss, val_perplexity } => {
                    let (losses, token_loss, perplexity) = (Losses { train, val }, val_token_loss, val_perplexity);
                    facts.last = Some(Last { step, losses, token_loss, perplexity });
                }
                Event::End { seconds, peak_memory_bytes, .. } => facts.end = Some(End { seconds, peak_memory_bytes }),
            }
        }
        facts
    }

    /// The examples' own tokens a second while stepping; none without a step.
    pub(crate) fn tokens_per_second(&self) -> Option<f64> {
        (self.step_seconds > 0.0).then(|| self.tokens as f64 / self.step_seconds)
    }

    /// Steps that were to be made but were not.
    pub(crate) fn steps_left(&self) -> usize {
        self.start.map_or(0, |start| start.steps.saturating_sub(self.batches.len()))
    }
}
