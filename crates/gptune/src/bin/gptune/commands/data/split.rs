use anyhow::Result;

use crate::args::SplitArgs;

pub(super) fn run(_: &SplitArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
