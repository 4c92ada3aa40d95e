use gptune_data::{Batch, Loader, OrderStream, Row};
use gptune_model::{Gpt2, Sequence, Supervised};

use crate::Packing;

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Plain mean of the batch losses, as in the book.
    pub loss: f64,
    /// Batches evaluated.
    pub batches: usize,
    /// Positions that carried a loss.
    pub target_tokens: usize,
    /// Of each sequence, the sum of its targets' losses and their number; empty unless they were asked for.
    pub sequences: Vec<(f64, usize)>,
}

impl Evaluation {
    /// Mean over all targets, whatever batch they are in, so that it does not depend on the size of batches. Needs
    /// [`Evaluation::sequences`].
    #[must_use]
    pub fn token_loss(&self) -> f64 {
        let (sum, count) = self.sequences.iter().fold((0.0, 0), |(sum, count), (loss, n)| (sum + loss, count + n));
        sum / count as f64
    }
}

/// What an evaluation measures.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Batches, from the first on; 0 takes all.
    pub batches: usize,
    /// How they are computed.
    pub packing: Packing,
    /// Losses of each sequence too, which costs another pass through the output head.
    pub sequences: bool,
}

/// Tokens that are evaluated at once, if that takes several batches: enough to keep processors busy,
/// few enough that their hidden states take little memory.
const TOKENS: usize = 4096;

/// Evaluates the first batches of a newly started iteration over `loader`. None if `go_on`, which is asked after each
/// batch, says to stop.
///
/// `model` has to be on a plain device: [`Module::valid`](burn::module::Module::valid) gives one.
/// A batch without any target is left out. With [`Packing::rows`], several batches are computed as one; the result is
/// the same mean of their own means.
pub fn evaluate(
    model: &Gpt2,
    loader: &Loader<'_>,
    order: &mut OrderStream,
    measure: Measure,
    mut go_on: impl FnMut() -> bool,
) -> Option<Evaluation> {
    let limit = if measure.batches == 0 { loader.len() } else { measure.batches.min(loader.len()) };
    let mut sums = Sums { model, measure, sum: 0.0, batches: 0, target_tokens: 0, sequences: Vec::new() };
    let mut group: Vec<Batch> = Vec::new();
    for batch in loader.iter(order).take(limit) {
        let tokens: usize = group.iter().chain([&batch]).map(Batch::tokens).sum();
        if !measure.packing.rows || tokens > TOKENS {
            sums.add(&group);
            if !group.drain(..).all(|_| go_on()) {
                return None;
            }
        }
        group.push(batch);
    }
    sums.add(&group);
    if !group.drain(..).all(|_| go_on()) {
        return None;
    }
    let Sums { sum, batches, target_tokens, sequences, .. } = sums;
    let loss = if batches == 0 { f64::NAN } else { sum / batches as f64 };
    Some(Evaluation { loss, batches, target_tokens, sequences })
}

/// What has been measured so far.
struct Sums<'a> {
    model: &'a Gpt2,
    measure: Measure,
    /// Of batch losses.
    sum: f64,
    batches: usize,
    target_tokens: usize,
    sequences: Vec<(f64, usize)>,
}

impl Sums<'_> {
    /// Adds batches that are computed as one.
    fn add(&mut self, group: &[Batch]) {
        let Packing { rows, prefix } = self.measure.packing;
        tracing::debug!(batches = group.len(), "batches are evaluated as one");
        let rows: Vec<Vec<Row<'_>>> = group.iter().map(|batch| batch.rows(rows)).collect();
        let sequences: Vec<Vec<Sequence<'_>>> =
            rows.iter().map(|rows| rows.iter().map(|(ids, targets)| (&ids[..], &targets[..])).collect()).collect();
        let batches: Vec<&[Sequence<'_>]> = sequences.iter().map(Vec::as_slice).collect();
        let Some(supervised) = Supervised::mean_of_means(&batches, prefix) else { return };
        let counted = group.iter().filter(|batch| batch.target_tokens() > 0).count();
        let hidden = self.model.hidden(&supervised.packed);
        let mean = self.model.loss_of(hidden.clone(), &supervised.targets).into_scalar::<f32>();
        self.sum += f64::from(mean) * counted as f64;
        self.batches += counted;
        self.target_tokens += group.iter().map(Batch::target_tokens).sum::<usize>();
        if !self.measure.sequences {
            return;
        }
        // As `mean_of_means` has them: without batches that have no target.
        let has_target = |batch: &&[Sequence<'_>]| batch.iter().any(|(_, targets)| targets.iter().any(|&id| id >= 0));
        for (index, (_, targets)) in batches.iter().copied().filter(has_target).flatten().enumerate() {
            let targets = supervised.packed.targets_of(index, targets);
            if !targets.is_empty() {
                let loss = self.model.loss_of(hidden.clone(), &targets).into_scalar::<f32>();
                self.sequences.push((f64::from(loss), targets.len()));
            }
        }
    }
}
