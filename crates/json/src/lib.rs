#![doc = include_str!("../README.md")]
//!
//! # In short
//!
//! [`read()`] keeps what only Python takes in a [`serde_json::Value`], [`to_line`] and [`to_lines`] write it back as it
//! was, and [`text`] tells a text from what merely stands in for one.

mod mark;
mod read;
mod write;

pub use mark::{NoText, kind, string, text};
pub use read::{Fault, read};
pub use write::{to_line, to_lines};
