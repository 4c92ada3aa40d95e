//! The crate against tiktoken and PyTorch.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod added;
mod chat_template;
mod fuzz;
mod order;
mod own_tokenizer;
mod spans;
mod throughput;
mod tokenizer;
