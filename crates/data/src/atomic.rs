use std::{fs, io, path::Path};

/// Writes a file under a temporary name beside it and renames it when it is complete.
///
/// # Errors
///
/// What the operating system says; nothing is left behind then.
pub fn write_atomically(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".writing");
    let temporary = path.with_file_name(name);
    fs::write(&temporary, contents).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        // Best effort: the error that matters is the one that is returned.
        let _ = fs::remove_file(&temporary);
    })
}
