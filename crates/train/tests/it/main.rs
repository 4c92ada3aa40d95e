//! The loop against PyTorch, and its endings.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod best;
mod devices;
mod endings;
mod groups;
mod parity;
mod pretrain;
mod respond;
mod resume;
mod schedules;
mod world;
