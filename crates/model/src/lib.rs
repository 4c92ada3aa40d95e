#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`Gpt2`] is the model of Radford et al., *Language Models are Unsupervised Multitask Learners*
//! (2019): a decoder-only transformer with pre-norm blocks, learned positions and a tanh GELU. Its
//! fields carry the names of Hugging Face's checkpoint (`wte, wpe, h, ln_f, attn.c_attn …`), so that a
//! parameter's path in the module is its name in the file.
//!
//! - [`Gpt2Config`]: the fields of Hugging Face's `config.json` that matter;
//! - [`Packed`]: sequences as rows without padding, a shared prefix once; [`Supervised`]: with targets;
//! - [`Gpt2::logits`]; [`Gpt2::loss`]: cross-entropy over the targets that count;
//! - [`Gpt2::generate`], [`Gpt2::generate_batch`]: greedy or sampled continuation with cached keys and
//!   values.

mod attention;
mod block;
mod config;
mod conv1d;
mod generate;
mod gpt2;
mod layer_norm;
mod loss;
mod mlp;
mod packed;
mod sampling;

pub use attention::Attention;
pub use block::Block;
pub use config::{ConfigError, Gpt2Config};
pub use conv1d::Conv1D;
pub use generate::GenerateOptions;
pub use gpt2::{Embedding, Gpt2};
pub use gptune_kernels::{Layout, Target};
pub use layer_norm::LayerNorm;
pub use mlp::Mlp;
pub use packed::{Packed, Sequence, Supervised};
pub use sampling::Sampler;
