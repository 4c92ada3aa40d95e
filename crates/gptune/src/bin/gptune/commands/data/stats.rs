use anyhow::Result;

use crate::args::StatsArgs;

pub(super) fn run(_: &StatsArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
