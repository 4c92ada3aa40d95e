//! A step: gradients, their clipping, and the update.

use burn::optim::{GradientsAccumulator, GradientsParams};
use gptune_data::Batch;
use gptune_model::{Gpt2, Sequence, Supervised};

use crate::{
    Optimizer, Packing,
    optimizer::{Rating, norm},
    precision::LossScale,
};

/// What does not change from step to step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stepping {
    /// Longest gradient, as its norm over all parameters.
    pub max_norm: Option<f64>,
    /// How batches are computed.
    pub packing: Packing,
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

impl Stepping {
    /// One update from the gradients of one or more batches, unless the loss is not a number.
    ///
    /// Scaled gradients that are not finite make no update, but the scale smaller.
    pub(crate) fn take(
        self,
        model: Gpt2,
        optimizer: &mut Optimizer,
        scale: &mut Option<LossScale>,
        batches: &[Batch],
        rates: &Rating<'_>,
    ) -> (Gpt2, Taken) {
        let loss_scale = scale.as_ref().map(|scale| scale.factor);
        let mut taken = Taken { loss: 0.0, grad_norm: None, loss_scale, skipped: false };
        let Some(gradients) = gradients(&model, batches, self.packing, &mut taken) else { return (model, taken) };
        let mut factor = 1.0;
        if self.max_norm.is_some() || loss_scale.is_some() {
            let norm = norm(&model, &gradients) / loss_scale.unwrap_or(1.0);
            taken.grad_norm = Some(norm);
            if let Some(scale) = scale {
                scale.update(norm.is_finite());
                if !norm.is_finite() {
                    return (model, Taken { grad_norm: None, skipped: true, ..taken });
                }
            }
            // As in `torch.nn.utils.clip_grad_norm_`.
            let clipping = self.max_norm.map_or(1.0, |max_norm| (max_norm / (norm + 1e-6)).min(1.0));
            #[allow(clippy::cast_possible_truncation)]
            let both = (clipping / loss_scale.unwrap_or(1.0)) as f32;
            factor = both;
        }
        (optimizer.apply(model, gradients, rates, factor), taken)
    }
}

/// A batch as a model takes it, its loss the mean over all targets; none if there is no target.
pub(crate) fn supervised(batch: &Batch, packing: Packing) -> Option<Supervised> {
    let rows = batch.rows(packing.rows);
    let sequences: Vec<Sequence<'_>> = rows.iter().map(|(ids, targets)| (&ids[..], &targets[..])).collect();
    Supervised::mean(&sequences, packing.prefix)
}

/// The gradients of the mean loss over the targets of all batches; none if it is not a number.
fn gradients(model: &Gpt2, batches: &[Batch], packing: Packing, taken: &mut Taken) -> Option<GradientsParams> {
    let all: usize = batches.iter().map(Batch::target_tokens).sum();
    let mut accumulator = GradientsAccumulator::new();
    for batch in batches {
        let Some(mut supervised) = supervised(batch, packing) else {
            // Preparing data refuses examples that leave no target.
            unreachable!("a batch without any target")
        };
        if batches.len() > 1 {
            // Each target weighs the same, whatever batch it is in.
            supervised.scale(batch.target_tokens() as f64 / all as f64);
        }
        let loss = model.loss(&supervised);
        taken.loss += f64::from(loss.clone().into_scalar::<f32>());
        if !taken.loss.is_finite() {
            return None;
        }
        let loss = taken.loss_scale.map_or(loss.clone(), |scale| loss * scale);
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        accumulator.accumulate(model, gradients);
    }
    Some(accumulator.grads())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use gptune_model::Gpt2Config;

    use super::*;
    use crate::{AdamW, Rates, formula_weights};

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
        let sequence = |ids: &[u32]| gptune_data::Sequence { ids: ids.to_vec(), trained: vec![1..ids.len()] };
        Batch { sequences: vec![sequence(&[1, 2, 3, 4, 5]), sequence(&[5, 6, 7, 8, 9])], padding: 0 }
    }

    /// The embedding after a step, and what it did.
    fn step(loss_scale: Option<f64>, max_norm: Option<f64>) -> (Vec<f32>, Taken) {
        // A large epsilon: without it, AdamW does not see a factor of all gradients.
        let mut optimizer = Optimizer::new(AdamW { eps: 1e-2, ..AdamW::default() });
        let mut scale = loss_scale.map(|factor| LossScale { factor, ..LossScale::default() });
        let stepping = Stepping { max_norm, packing: Packing::default() };
        let rates = |_: &str, _: usize| Rates { lr: 1e-2, weight_decay: 0.01 };
        let (model, taken) = stepping.take(model(), &mut optimizer, &mut scale, &[batch()], &rates);
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
