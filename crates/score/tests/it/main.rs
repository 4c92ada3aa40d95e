//! Scores beside those of the field's own scripts, and files that are not what they should be.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod faults;
mod reference;
mod speed;
