//! LibTorch for the `tch` back end: found, or installed into a virtual environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::python::{self, variable};

/// The only version that the bindings (torch-sys 0.22) work with.
const VERSION: &str = "2.9.0";

/// The folder of LibTorch, which holds `include` and `lib`.
///
/// In this order: the folder that `LIBTORCH` names; with `LIBTORCH_USE_PYTORCH` set, the `torch` package
/// of the active Python; the private environment, which is made if it is not there.
///
/// # Errors
///
/// If what the variables name is no LibTorch of the right version, or the installation fails.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(folder) = variable("LIBTORCH") {
        let folder = PathBuf::from(folder);
        check(&folder).with_context(|| format!("LIBTORCH names {}", folder.display()))?;
        return Ok(folder);
    }
    if variable("LIBTORCH_USE_PYTORCH").is_some() {
        let python = if variable("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
        let folder = torch_of(Path::new(python)).context("LIBTORCH_USE_PYTORCH is set")?;
        check(&folder).context("LIBTORCH_USE_PYTORCH is set")?;
        return Ok(folder);
    }
    let environment = python::cache_folder()?.join(format!("libtorch-{VERSION}"));
    let python = python::of(&environment);
    if let Ok(folder) = torch_of(&python)
        && check(&folder).is_ok()
    {
        return Ok(folder);
    }
    eprintln!(
        "installing LibTorch {VERSION} into {} (once, up to 5 GB with its CUDA libraries)",
        environment.display()
    );
    let torch = format!("torch=={VERSION}");
    python::install(&environment, &[&torch, "numpy", "setuptools"]).with_context(|| {
        format!("LibTorch cannot be installed; set LIBTORCH to a folder of LibTorch {VERSION} instead")
    })?;
    let folder = torch_of(&python)?;
    check(&folder)?;
    Ok(folder)
}

/// Lets cargo build against LibTorch, and what it builds find the libraries.
///
/// # Errors
///
/// As [`find_or_install`].
pub(crate) fn prepare(command: &mut Command) -> Result<()> {
    let folder = find_or_install()?;
    let libraries = folder.join("lib");
    // Tests of crates that have no build script of ours: the program itself remembers the folder.
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let before = std::env::var_os(variable).unwrap_or_default();
    let paths =
        [libraries].into_iter().chain(std::env::split_paths(&before).filter(|path| !path.as_os_str().is_empty()));
    command.env(variable, std::env::join_paths(paths)?);
    command.env("LIBTORCH", &folder).env_remove("LIBTORCH_USE_PYTORCH");
    Ok(())
}

/// Refuses a folder that is no LibTorch of [`VERSION`].
fn check(folder: &Path) -> Result<()> {
    if !folder.join("include/torch/csrc").exists() || !folder.join("lib").exists() {
        bail!(
            "{} is no LibTorch: it has no include/torch/csrc and lib; LibTorch {VERSION} is needed",
            folder.display()
        );
    }
    let version = version(folder)
        .with_context(|| format!("cannot tell the version of LibTorch in {}; {VERSION} is needed", folder.display()))?;
    if version != VERSION {
        bail!("{} holds LibTorch {version}, and {VERSION} is needed", folder.display());
    }
    Ok(())
}

/// The version of a LibTorch, without its build (`+cpu`, `+cu128`): from `build-version`, which the
/// archives have, or `version.py`, which the Python package has.
fn version(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("build-version")).ok().or_else(|| {
        let module = fs::read_to_string(folder.join("version.py")).ok()?;
        let line = module.lines().find_map(|line| line.strip_prefix("__version__ ="))?;
        Some(line.trim().trim_matches(['\'', '"']).to_owned())
    })?;
    Some(text.trim().split('+').next().unwrap_or_default().to_owned())
}

/// The folder of a Python's `torch` package, without importing it.
fn torch_of(python: &Path) -> Result<PathBuf> {
    let script =
        "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
    let output = Command::new(python).args(["-c", script]).output();
    let output = output.with_context(|| format!("cannot start {}", python.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if folder.is_empty() {
        bail!("{} has no torch package; LibTorch {VERSION} is needed: pip install torch=={VERSION}", python.display());
    }
    Ok(folder.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_version_is_refused_by_name() {
        let folder = std::env::temp_dir().join(format!("gptune-libtorch-{}", std::process::id()));
        fs::create_dir_all(folder.join("include/torch/csrc")).unwrap();
        assert!(check(&folder).unwrap_err().to_string().contains("is no LibTorch"));
        fs::create_dir_all(folder.join("lib")).unwrap();
        assert!(check(&folder).unwrap_err().to_string().contains("cannot tell the version"));
        fs::write(folder.join("version.py"), "import x\n__version__ = '2.8.1+cu128'\n").unwrap();
        let error = check(&folder).unwrap_err().to_string();
        assert!(error.contains("2.8.1") && error.contains(VERSION), "{error}");
        fs::write(folder.join("build-version"), "2.9.0+cpu\n").unwrap();
        check(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
