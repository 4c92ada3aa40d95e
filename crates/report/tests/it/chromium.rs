//! Chromium without a window.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Longer than any page takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_mins(2);

/// The browser that the variable `CHROMIUM` names, else the first one on the path.
///
/// # Panics
///
/// If there is none: a test that needs a browser does not pass without one.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|name| !name.is_empty()) {
        return named.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no Chromium found: install it (Debian: apt-get install chromium; Fedora: dnf install chromium; macOS: \
             brew install --cask chromium) or set CHROMIUM to the program's path"
        )
    })
}

/// Runs the browser on a page with further arguments and returns what it printed.
pub(crate) fn run<S: AsRef<OsStr>>(page: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    let program = program();
    // A profile of its own, so that several can run at once.
    let folder = tempfile::tempdir().unwrap();
    let (out, log) = (folder.path().join("out"), folder.path().join("log"));
    let mut browser = Command::new(&program)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"])
        .args(["--force-device-scale-factor=1", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = browser.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = browser.kill();
            panic!("{} did not finish: {}", program.display(), fs::read_to_string(&log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let log = fs::read_to_string(&log).unwrap_or_default();
    assert!(status.success(), "{} failed: {log}", program.display());
    String::from_utf8_lossy(&fs::read(&out).unwrap()).into_owned()
}

/// The page as the browser has it after loading.
pub(crate) fn dom(page: &Path) -> String {
    run(page, ["--dump-dom"])
}
