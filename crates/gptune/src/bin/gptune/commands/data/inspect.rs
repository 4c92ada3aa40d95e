use anyhow::Result;

use crate::args::InspectArgs;

pub(super) fn run(_: &InspectArgs) -> Result<()> {
    anyhow::bail!("not there yet")
}
