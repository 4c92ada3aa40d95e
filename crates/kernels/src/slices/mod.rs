//! The loops of the fused operations, on slices of `f32` in row-major order.
//!
//! Vector instructions are chosen when the program runs (by `pulp`): AVX2 with FMA or AVX-512 on
//! `x86_64`, NEON on `aarch64`, plain code elsewhere. Work is spread over Rayon's threads in a way
//! that does not depend on their number, so results repeat bit by bit on one machine.

// What runs under `simd::vectorized` has to be inlined into it: see there.
#![allow(clippy::inline_always)]

mod adamw;
mod attention;
pub mod buffers;
mod cached_attention;
mod columns;
mod cross_entropy;
mod embedding;
mod exp;
mod few_rows;
mod gelu;
mod layer_norm;
mod layout;
mod matrix;
mod simd;
mod streamed;

pub use adamw::{AdamWStep, adamw, squared_norm};
pub use attention::{attention, attention_backward};
pub use cached_attention::{CachedRows, cached_attention};
pub use columns::{column_sums, transpose};
pub use cross_entropy::{HeadGradients, HeadWanted, Target, head_cross_entropy};
pub use embedding::{embedding, embedding_backward};
pub use exp::exp;
pub use few_rows::{FEW, few_rows, few_rows_transposed};
pub use gelu::{gelu, gelu_backward};
pub use layer_norm::{LayerNormGradients, Moments, layer_norm, layer_norm_backward, layer_norm_parameters_backward};
pub use layout::Layout;
pub use matrix::{Matrix, MatrixMut, Onto, matmul, matmul_serial, matmul_totals};
pub use streamed::{SOME, Stored, streamed};
