//! The crate against tiktoken, PyTorch and scikit-learn.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod added;
mod chat_template;
mod corpus;
mod formats;
mod fuzz;
mod near_duplicates;
mod order;
mod own_tokenizer;
mod records;
mod shapes;
mod spans;
mod templates;
mod tokenizer;
