//! JSON as Python reads and writes it.
//!
//! Python's `json` takes and writes what the standard does not have: `NaN`, `Infinity` and `-Infinity`, escapes of lone
//! surrogates, and integers of any size. Data sets contain them, mostly in keys that nobody uses. [`read()`] keeps them in
//! a [`serde_json::Value`], [`to_line`] and [`to_lines`] write them back as they were, and [`text`] tells a text from
//! what merely stands in for one.
//!
//! ```
//! let value: serde_json::Value = gptune_json::read(br#"{"id": 18446744073709551617, "score": NaN}"#)?;
//! assert_eq!(gptune_json::to_line(&value), r#"{"id": 18446744073709551617, "score": NaN}"#);
//! # Ok::<(), gptune_json::Fault>(())
//! ```

mod mark;
mod read;
mod write;

pub use mark::{NoText, kind, string, text};
pub use read::{Fault, read};
pub use write::{to_line, to_lines};
