//! The run report, the comparison of runs and the inspection of data, as text and in a browser.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod browser;
mod chromium;
mod comparison;
mod comparison_browser;
mod comparison_sample;
mod contrast;
mod inspection;
mod page;
mod sample;
