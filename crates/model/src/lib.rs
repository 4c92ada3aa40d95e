//! GPT-2 on Burn.
//!
//! [`Gpt2`] is the model of Radford et al., *Language Models are Unsupervised Multitask Learners*
//! (2019): a decoder-only transformer with pre-norm blocks, learned positions and a tanh GELU. Its
//! fields carry the names of Hugging Face's checkpoint (`wte, wpe, h, ln_f, attn.c_attn …`), so that a
//! parameter's path in the module is its name in the file.
//!
//! - [`Gpt2Config`]: the fields of Hugging Face's `config.json` that matter;
//! - [`Gpt2::forward`]: logits; [`Gpt2::loss`]: cross-entropy over the targets that count;
//! - [`Gpt2::generate`]: greedy or sampled continuation with a key/value cache.

mod attention;
mod block;
mod cache;
mod config;
mod conv1d;
mod generate;
mod gpt2;
mod layer_norm;
mod loss;
mod mlp;
mod sampling;

pub use attention::Attention;
pub use block::Block;
pub use cache::KvCache;
pub use config::{ConfigError, Gpt2Config};
pub use conv1d::Conv1D;
pub use generate::GenerateOptions;
pub use gpt2::{Embedding, Gpt2};
pub use layer_norm::LayerNorm;
pub use mlp::Mlp;
pub use sampling::Sampler;
