//! What a change has to pass.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result};

use crate::{
    cargo::{self, cargo},
    libtorch, python, torture,
};

/// The back ends that a machine without a GPU can run: LibTorch on the CPU, and wgpu on software Vulkan.
const BACK_ENDS: [&str; 2] = ["tch", "wgpu"];

/// Examples that are not run, because they serve scripts, which give them arguments.
const SCRIPTED: [&str; 3] = ["load_time", "logits", "rewrite_pth"];

pub(crate) fn run() -> Result<()> {
    let warnings_are_errors = "-D warnings";
    let back_ends = BACK_ENDS.map(str::to_owned);
    stage("format", || cargo::run(&mut cargo(&["fmt", "--all", "--check"])))?;
    stage("lints", || {
        cargo::run(cargo::workspace("clippy", &back_ends)?.args(["--all-targets", "--", "-D", "warnings"]))
    })?;
    stage("documentation", || {
        cargo::run(
            cargo::workspace("doc", &back_ends)?
                .args(["--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", warnings_are_errors),
        )
    })?;
    stage("dependencies", deny)?;
    stage("software Vulkan", software_vulkan)?;
    stage("tests", || cargo::test(&back_ends))?;
    stage("examples", || examples(&back_ends))?;
    stage("packages", packages)?;
    stage("torture", || torture::run(5, &cargo::build_with(&back_ends)?))?;
    stage("interoperation", || interoperation(&back_ends))?;
    stage("browser", || browser(&back_ends))
}

/// Runs every example, in the build that the tests have made.
fn examples(back_ends: &[String]) -> Result<()> {
    cargo::run(cargo::workspace("build", back_ends)?.arg("--examples"))?;
    for name in example_names()?.iter().filter(|name| !SCRIPTED.contains(&name.as_str())) {
        println!("-- {name}");
        let mut example = Command::new(cargo::target_folder()?.join("release/examples").join(name));
        // Burn is one for the whole workspace, LibTorch included.
        if back_ends.iter().any(|name| name == "tch") {
            libtorch::prepare(&mut example)?;
        }
        cargo::run(&mut example)?;
    }
    Ok(())
}

/// The examples of all crates, in order.
fn example_names() -> Result<Vec<String>> {
    let entries = |folder: PathBuf| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
    };
    let mut names = Vec::new();
    for folder in entries(cargo::root().join("crates"))? {
        let examples = folder.join("examples");
        for file in if examples.is_dir() { entries(examples)? } else { Vec::new() } {
            names.extend(file.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Makes the package of every crate: what a manifest lacks for that shows here. None is built from its package, because
/// that compiles Burn and all else once more; so a file that a crate takes from outside its folder does not show.
fn packages() -> Result<()> {
    let mut package = cargo(&["package", "--workspace", "--exclude", "xtask"]);
    cargo::run(package.args(["--no-verify", "--allow-dirty", "--quiet"]))
}

/// A Vulkan driver that runs on the processor (Mesa's lavapipe), for the tests of wgpu.
fn software_vulkan() -> Result<()> {
    let installed = || {
        let drivers = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten().flatten();
        drivers.into_iter().any(|driver| driver.file_name().to_string_lossy().starts_with("lvp_icd"))
    };
    if !installed() {
        install(&["mesa-vulkan-drivers", "libvulkan1"])?;
    }
    anyhow::ensure!(installed(), "mesa-vulkan-drivers has no software driver (lvp_icd) on this machine");
    Ok(())
}

/// Installs packages of Debian.
fn install(packages: &[&str]) -> Result<()> {
    println!("installing {}", packages.join(" "));
    cargo::run(Command::new("apt-get").args(["update", "-qq"]))?;
    cargo::run(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The tests of the run report in a browser.
fn browser(back_ends: &[String]) -> Result<()> {
    let chromium = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if std::env::var_os("CHROMIUM").is_none() && !chromium.is_ok_and(|status| status.success()) {
        install(&["chromium"])?;
    }
    cargo::run(cargo::workspace("test", back_ends)?.args(["--test", "it", "--", "--ignored", "browser::"]))
}

/// The tests that need a Python: the download cache shared with Hugging Face's own library, and event files that
/// TensorBoard reads.
fn interoperation(back_ends: &[String]) -> Result<()> {
    let packages = ["huggingface_hub==2.4.0", "tensorboard==2.20.0"];
    let python = python::environment("huggingface-hub-2.4.0-tensorboard-2.20.0", &packages)?;
    let mut test = cargo::workspace("test", back_ends)?;
    test.args(["--test", "it", "--", "--ignored", "interoperation::"]);
    cargo::run(test.env("GPTUNE_PYTHON", python))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{SCRIPTED, example_names};
    use crate::cargo::root;

    #[test]
    fn examples_have_names_of_their_own() {
        let names = example_names().unwrap();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "one would be built over the other: {names:?}");
        assert!(SCRIPTED.iter().all(|script| names.iter().any(|name| name == script)), "{names:?}");
    }

    #[test]
    fn readmes_name_examples_that_are_there() {
        let names = example_names().unwrap();
        let mut count = 0;
        for folder in fs::read_dir(root().join("crates")).unwrap() {
            let text = fs::read_to_string(folder.unwrap().path().join("README.md")).unwrap_or_default();
            for rest in text.split("--example ").skip(1) {
                let name = rest.split([' ', '`', '\n']).next().unwrap();
                assert!(names.iter().any(|known| known == name), "{name}");
                count += 1;
            }
        }
        assert!(count >= 9, "{count}");
    }
}
