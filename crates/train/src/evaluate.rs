use gptune_data::{Loader, OrderStream};
use gptune_model::Gpt2;

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

/// Evaluates the first `limit` batches (0: all) of a newly started iteration over `loader`.
///
/// `model` has to be on a plain device: [`Module::valid`](burn::module::Module::valid) gives one.
/// `progress` is called after each batch. A batch without any target is left out.
pub fn evaluate(
    model: &Gpt2,
    loader: &Loader<'_>,
    order: &mut OrderStream,
    limit: usize,
    mut progress: impl FnMut(),
) -> Evaluation {
    let limit = if limit == 0 { loader.len() } else { limit.min(loader.len()) };
    let (mut sum, mut batches, mut target_tokens) = (0.0, 0, 0);
    for batch in loader.iter(order).take(limit) {
        if let Some(loss) = model.loss(&batch.inputs, &batch.targets, batch.rows) {
            sum += f64::from(loss.into_scalar::<f32>());
            batches += 1;
            target_tokens += batch.target_tokens();
        }
        progress();
    }
    let loss = if batches == 0 { f64::NAN } else { sum / batches as f64 };
    Evaluation { loss, batches, target_tokens }
}
