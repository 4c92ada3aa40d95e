use gptune_data::{Batch, Loader, OrderStream};
use gptune_model::{Gpt2, Sequence, Supervised};

use crate::Packing;

/// The result of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Plain mean of the batch losses, as in the book.
    pub loss: f64,
    /// Batches evaluated.
    pub batches: usize,
    /// Positions that carried a loss.
    pub target_tokens: usize,
}

/// Tokens that are evaluated at once, if that takes several batches: enough to keep processors busy,
/// few enough that their hidden states take little memory.
const TOKENS: usize = 4096;

/// Evaluates the first `limit` batches (0: all) of a newly started iteration over `loader`.
///
/// `model` has to be on a plain device: [`Module::valid`](burn::module::Module::valid) gives one.
/// `progress` is called after each batch. A batch without any target is left out. With
/// [`Packing::rows`], several batches are computed as one; the result is the same mean of their own
/// means.
pub fn evaluate(
    model: &Gpt2,
    loader: &Loader<'_>,
    order: &mut OrderStream,
    limit: usize,
    packing: Packing,
    mut progress: impl FnMut(),
) -> Evaluation {
    let limit = if limit == 0 { loader.len() } else { limit.min(loader.len()) };
    let (mut sum, mut batches, mut target_tokens) = (0.0, 0, 0);
    let mut evaluate_group = |group: &mut Vec<Batch>| {
        let sequences: Vec<Vec<Sequence<'_>>> = group.iter().map(|batch| batch.sequences(packing.rows)).collect();
        let sequences: Vec<&[Sequence<'_>]> = sequences.iter().map(Vec::as_slice).collect();
        if let Some(supervised) = Supervised::mean_of_means(&sequences, packing.prefix) {
            let counted = group.iter().filter(|batch| batch.target_tokens() > 0).count();
            sum += f64::from(model.loss(&supervised).into_scalar::<f32>()) * counted as f64;
            batches += counted;
            target_tokens += group.iter().map(Batch::target_tokens).sum::<usize>();
        }
        group.drain(..).for_each(|_| progress());
    };
    let mut group: Vec<Batch> = Vec::new();
    for batch in loader.iter(order).take(limit) {
        let tokens: usize = group.iter().chain([&batch]).map(|batch| batch.tokens).sum();
        if !packing.rows || tokens > TOKENS {
            evaluate_group(&mut group);
        }
        group.push(batch);
    }
    evaluate_group(&mut group);
    let loss = if batches == 0 { f64::NAN } else { sum / batches as f64 };
    Evaluation { loss, batches, target_tokens }
}
