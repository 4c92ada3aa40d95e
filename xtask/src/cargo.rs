//! Starting cargo.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::libtorch;

/// The workspace's folder: where cargo runs this program from, because one that was built in another
/// checkout with the same target folder is taken for this one.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().unwrap_or(&xtask).to_owned()
}

/// Runs a command; anything but success is an error that shows it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Replaces this program by another, whose exit status becomes ours and which alone hears Ctrl-C.
pub(crate) fn become_process(mut command: Command) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(command.exec()).with_context(|| format!("cannot start {command:?}"))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
        std::process::exit(status.code().unwrap_or(1))
    }
}

/// Cargo in the workspace's folder, with these arguments.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// A cargo command on the whole workspace in the release profile, always with the same features of
/// shared dependencies for the same back ends: Burn would be compiled again for any other selection.
/// `back_ends` are those besides flex.
///
/// # Errors
///
/// If LibTorch is needed and can be neither found nor installed.
pub(crate) fn workspace(command: &str, back_ends: &[String]) -> Result<Command> {
    let mut cargo = cargo(&[command, "--release", "--workspace"]);
    let features: Vec<String> =
        back_ends.iter().filter(|name| *name != "flex").map(|name| format!("gptune/{name}")).collect();
    if !features.is_empty() {
        cargo.args(["--features", &features.join(",")]);
    }
    if back_ends.iter().any(|name| name == "tch") {
        libtorch::prepare(&mut cargo)?;
    }
    Ok(cargo)
}

/// Builds the program with a back end and returns its path.
pub(crate) fn build_gptune(back_end: &str) -> Result<PathBuf> {
    build_with(&[back_end.to_owned()])
}

/// Builds the program with these back ends and returns its path.
pub(crate) fn build_with(back_ends: &[String]) -> Result<PathBuf> {
    run(&mut workspace("build", back_ends)?)?;
    built_gptune()
}

/// The program that was built last.
pub(crate) fn built_gptune() -> Result<PathBuf> {
    Ok(target_folder()?.join("release").join(format!("gptune{}", std::env::consts::EXE_SUFFIX)))
}

/// The whole test suite, with the back ends besides flex that are named.
pub(crate) fn test(back_ends: &[String]) -> Result<()> {
    let mut test = workspace("test", back_ends)?;
    // What tests of other back ends ask for: they say so where they are not in the build.
    test.env("GPTUNE_TEST_BACK_ENDS", back_ends.join(","));
    run(&mut test)?;
    // Those of the libraries take their device from a variable.
    for back_end in back_ends {
        println!("== the training crate's tests on {back_end}");
        let mut test = workspace("test", back_ends)?;
        test.args(["--test", "it", "--", "--nocapture", "devices::"]);
        // Whole runs take hours on a GPU that is a program.
        if back_end != "wgpu" {
            test.arg("parity::");
        }
        run(test.env("BURN_DEVICE", back_end).env("CUBECL_AUTOTUNE_LEVEL", "minimal"))?;
    }
    Ok(())
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// The slice kernels' own tests and `crates/kernels/sanitize` under `AddressSanitizer`.
///
/// The crate takes the kernels' files by path, so that Burn need not be compiled a second time. The
/// standard library is not instrumented, which needs nothing but a nightly compiler. Miri cannot run
/// them: Rayon's queues (crossbeam) break its aliasing rules before a kernel starts.
pub(crate) fn sanitize() -> Result<()> {
    let version = Command::new("rustc").args(["+nightly", "-vV"]).output().context("cannot start rustc")?;
    let version = String::from_utf8_lossy(&version.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("there is no nightly compiler; `rustup toolchain install nightly` installs one")?;
    // Not the cargo that runs this program, which would choose its own toolchain.
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "test", "--target", host]);
    command.current_dir(root().join("crates/kernels/sanitize"));
    command.env("CARGO_TARGET_DIR", target_folder()?.join("sanitize")).env("RUSTFLAGS", "-Zsanitizer=address");
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC");
    run(&mut command)
}
