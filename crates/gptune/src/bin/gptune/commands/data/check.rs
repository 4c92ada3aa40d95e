use anyhow::Result;

use crate::args::CheckArgs;

pub(super) fn run(_: &CheckArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
