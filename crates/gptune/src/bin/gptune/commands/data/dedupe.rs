use anyhow::Result;

use crate::args::DedupeArgs;

pub(super) fn run(_: &DedupeArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
