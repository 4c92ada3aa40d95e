#![doc = include_str!("../README.md")]
//!
//! # The calls
//!
//! | call | fused on flex | everywhere else |
//! |---|---|---|
//! | [`embedding()`] | rows of two tables, added | Burn operations |
//! | [`layer_norm()`] | one pass over each row | Burn operations |
//! | [`linear()`] | product and bias; three products less one pass in the backward pass | Burn operations |
//! | [`attention()`] | ragged sequences with a shared prefix, without padding | a padded rectangle |
//! | [`KeyValues::attend`] | one query a sequence to cached keys and values, in place | a padded rectangle |
//! | [`gelu()`] | one pass | Burn operations |
//! | [`head_loss()`] | output head, softmax and cross-entropy in chunks of rows; the whole batch's logits never exist | Burn operations |
//! | [`adamw_step`] | one pass over parameter, gradient and moments, in place | Burn operations |
//!
//! The loops below them ([`slices`]) work on slices, know no Burn type and can be tested and used alone. The decision
//! whether a tensor has a fused path is made in one place: the `flex` module, which answers `None` where it has nothing to
//! offer (another device, or a build without the `flex` feature).

/// Says, once in a process, that an operation has no fused path for its tensors.
macro_rules! portable {
    ($operation:literal) => {{
        static SAID: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        if !SAID.swap(true, std::sync::atomic::Ordering::Relaxed) {
            tracing::debug!(
                operation = $operation,
                "there is no fused path for these tensors; Burn's operations take over"
            );
        }
    }};
}

mod adamw;
mod attention;
mod embedding;
mod gelu;
mod head_logits;
mod head_loss;
mod key_values;
mod layer_norm;
mod linear;
mod norm;
mod operands;
mod precision;
pub mod slices;

#[cfg(feature = "flex")]
mod flex;
#[cfg(not(feature = "flex"))]
#[path = "flex_absent.rs"]
mod flex;

pub use adamw::{adamw_resume, adamw_start, adamw_step, portable_adamw_step};
pub use attention::{attention, portable_attention};
pub use embedding::{embedding, portable_embedding};
pub use gelu::{gelu, portable_gelu};
pub use head_logits::{head_logits, portable_head_logits};
pub use head_loss::{head_loss, portable_head_loss};
pub use key_values::{CacheLayout, KeyValues};
pub use layer_norm::{layer_norm, portable_layer_norm};
pub use linear::{linear, portable_linear};
pub use norm::squared_norm;
pub use precision::set_product_type;
pub use slices::{AdamWStep, Layout, Target};

/// Frees the memory that gradients leave for those of the next step: for the end of a training. Whatever is
/// computed later takes what it needs anew.
pub fn release_buffers() {
    slices::buffers::release();
}

/// Switches the fused paths off, or on again, for the whole process: for measuring what they gain.
pub fn set_fused(enabled: bool) {
    flex::set_enabled(enabled);
}
