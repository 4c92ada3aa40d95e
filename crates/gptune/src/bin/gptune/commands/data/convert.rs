use anyhow::Result;

use crate::args::ConvertArgs;

pub(super) fn run(_: &ConvertArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
