//! Fused operations for GPT-2, each with a portable fallback behind one call.
//!
//! | call | fused on flex | everywhere else |
//! |---|---|---|
//! | [`head_loss()`] | output head, softmax and cross-entropy in chunks of rows; the whole batch's logits never exist | Burn operations |
//! | [`adamw_step`] | one pass over parameter, gradient and moments, in place | Burn operations |
//!
//! The calls take and give Burn tensors and differentiate through Burn's autodiff, so that frozen
//! layers and other optimizers keep working. The loops below them ([`slices`]) work on slices, know
//! no Burn type and can be tested and used alone. The decision whether a tensor has a fused path is
//! made in one place: the `flex` module, which answers `None` where it has nothing to offer (another
//! device, or a build without the `flex` feature).

mod adamw;
mod head_loss;
pub mod slices;

#[cfg(feature = "flex")]
mod flex;
#[cfg(not(feature = "flex"))]
#[path = "flex_absent.rs"]
mod flex;

pub use adamw::{AdamW, adamw_step, portable_adamw_step};
pub use head_loss::{head_loss, portable_head_loss};
pub use slices::AdamWStep;
