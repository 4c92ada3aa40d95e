//! What others make of the files of a run.
#![allow(clippy::unwrap_used)]

mod interoperation;
