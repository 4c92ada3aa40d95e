//! The run report and the comparison of runs, as text and in a browser.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod browser;
mod chromium;
mod comparison;
mod comparison_browser;
mod comparison_sample;
mod contrast;
mod page;
mod sample;
