//! The loops of the fused operations, on slices of `f32` in row-major order.
//!
//! Vector instructions are chosen when the program runs (by `pulp`): AVX2 with FMA or AVX-512 on
//! `x86_64`, NEON on `aarch64`, plain code elsewhere. Work is spread over Rayon's threads in a way
//! that does not depend on their number, so results repeat bit by bit on one machine.

// What runs under `simd::vectorized` has to be inlined into it: see there.
#![allow(clippy::inline_always)]

mod adamw;
mod cross_entropy;
mod exp;
mod gemm;
mod simd;

pub use adamw::{AdamWStep, adamw};
pub use cross_entropy::{HeadGradients, head_cross_entropy};
pub use exp::exp;
pub use gemm::{Matrix, matmul};
