//! The run report, as text and in a browser.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod browser;
mod chromium;
mod contrast;
mod page;
mod sample;
