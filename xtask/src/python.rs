//! Python environments of the project's own, for what is held against Python programs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// An environment in the cache folder with these packages, which is made if it is not there, and its Python. The
/// name has to change with the packages.
///
/// # Errors
///
/// If Python is missing or the packages cannot be installed.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = cache_folder()?.join(name);
    let finished = environment.join("finished");
    if !finished.exists() {
        install(&environment, packages)?;
        std::fs::write(&finished, "").with_context(|| format!("cannot write {}", finished.display()))?;
    }
    Ok(of(&environment))
}

/// Makes an environment anew and installs packages into it.
///
/// # Errors
///
/// As [`environment`].
pub(crate) fn install(environment: &Path, packages: &[&str]) -> Result<()> {
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment).status();
    if !made.as_ref().is_ok_and(std::process::ExitStatus::success) {
        bail!("'python3 -m venv' does not work; install Python 3.10 to 3.13 with its venv module");
    }
    let mut pip = Command::new(of(environment));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]).args(packages);
    cargo::run(&mut pip).with_context(|| format!("pip cannot install {}", packages.join(" ")))
}

/// The Python of an environment.
pub(crate) fn of(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Where programs keep what they can get again.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let home = || variable("HOME").map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| home().map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" })));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("gptune"))
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
