//! Whether a device computes what it should.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use gptune_train::{Finding, SelfCheck};

use crate::{
    Voice,
    device::{self, Chosen},
};

/// A file of results to compare with instead of the stored ones; the check then runs on every device,
/// flex included. `gptune doctor --record` writes such files.
const REFERENCE: &str = "GPTUNE_SELF_CHECK";

/// Refuses a device that computes something else than the reference. Flex is the reference.
///
/// # Errors
///
/// If the check finds a fault and `force` is not set.
pub fn guard(chosen: &Chosen, force: bool, voice: &dyn Voice) -> Result<()> {
    if chosen.is_reference() && std::env::var_os(REFERENCE).is_none() {
        return Ok(());
    }
    let (result, seconds) = check(chosen)?;
    let findings = result.compare(&reference()?);
    if findings.iter().all(Finding::passed) {
        voice.say(&format!("Self-check of {} passed in {seconds:.1} s", chosen.name));
        return Ok(());
    }
    let verdict = verdict(chosen, &findings);
    if !force {
        bail!("{verdict}; --force trains nevertheless");
    }
    voice.say(&format!("Warning: {verdict}; going on because of --force"));
    Ok(())
}

/// Checks a device, and how many seconds that took.
///
/// # Errors
///
/// If it breaks off.
pub fn check(chosen: &Chosen) -> Result<(SelfCheck, f64)> {
    device::quietly(|| SelfCheck::run(&chosen.device))
        .map_err(|message| anyhow!("the self-check of {} broke off: {}", chosen.name, message.trim()))
}

/// What a device has to compute.
///
/// # Errors
///
/// If the variable `GPTUNE_SELF_CHECK` names a file that is not such results.
pub fn reference() -> Result<SelfCheck> {
    let Some(path) = std::env::var_os(REFERENCE) else { return Ok(SelfCheck::reference()) };
    let path = Path::new(&path);
    let context = || format!("{REFERENCE} names {}", path.display());
    serde_json::from_str(&std::fs::read_to_string(path).with_context(context)?).with_context(context)
}

/// What a device computes wrongly, and what to do.
#[must_use]
pub fn verdict(chosen: &Chosen, findings: &[Finding]) -> String {
    let wrong: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.passed())
        .map(|finding| format!("{} off by {:.1e} ({})", finding.quantity, finding.error, finding.place))
        .collect();
    format!(
        "{} ({}) does not compute what flex does: {}; update its driver, or use another --device",
        chosen.name,
        chosen.description,
        wrong.join("; ")
    )
}
