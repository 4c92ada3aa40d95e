//! Downloads from servers on this machine, good ones and bad ones.
#![allow(clippy::unwrap_used)]

mod access;
mod contents;
mod damage;
mod data_sets;
mod environment;
mod fake_hub;
mod interoperation;
mod plain;
mod processes;
mod resume;
mod server;
