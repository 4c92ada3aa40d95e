//! What a change has to pass.

use std::{process::Stdio, time::Instant};

use anyhow::{Context, Result};

use crate::cargo::{self, cargo};

pub(crate) fn run() -> Result<()> {
    let warnings_are_errors = "-D warnings";
    stage("format", || cargo::run(&mut cargo(&["fmt", "--all", "--check"])))?;
    stage("lints", || {
        cargo::run(&mut cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    stage("documentation", || {
        cargo::run(
            cargo(&["doc", "--release", "--workspace", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", warnings_are_errors),
        )
    })?;
    stage("dependencies", deny)?;
    stage("tests", cargo::test)
}

/// Licences, bans and sources of all dependencies; advisories where their database can be reached.
fn deny() -> Result<()> {
    let installed = cargo(&["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("installing cargo-deny");
        cargo::run(&mut cargo(&["install", "cargo-deny", "--locked", "--version", "0.20.2"]))?;
    }
    cargo::run(&mut cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]))?;
    let advisories =
        cargo(&["deny", "--all-features", "check", "advisories"]).output().context("cannot start cargo deny")?;
    let report = String::from_utf8_lossy(&advisories.stderr);
    if advisories.status.success() {
        println!("advisories ok");
        return Ok(());
    }
    // Without a network there is no database to compare with; anything else is a finding.
    if report.contains("failed to fetch advisory database") {
        println!("NOT CHECKED: advisories, because the advisory database cannot be fetched from this machine");
        return Ok(());
    }
    anyhow::bail!("cargo deny found advisories:\n{report}")
}

fn stage(name: &str, task: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let started = Instant::now();
    task().with_context(|| format!("stage '{name}' failed"))?;
    println!("== {name}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
