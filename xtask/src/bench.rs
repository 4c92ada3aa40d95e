//! Measurements.

use std::path::Path;

use anyhow::Result;

pub(crate) fn run(_steps: usize, _data: Option<&Path>) -> Result<()> {
    anyhow::bail!("not yet")
}
