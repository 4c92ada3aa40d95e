//! Names of data.

use std::{borrow::Cow, path::Path};

use anyhow::{Result, bail};
use gptune_data::{DataError, Dataset, ReadOptions};
use gptune_train::Source;
use sha2::{Digest, Sha256};

use crate::{SourceConfig, Voice, assets, download::Remote, model::here_or_fetched, text::quoted};

/// What a name of data stands for, if it is neither built in nor a path on this machine.
#[must_use]
pub fn remote_data(data: &str) -> Option<Remote> {
    Remote::data(data, None).filter(|_| !Path::new(data).exists())
}

/// The data of a run, with their fingerprint. Entries that cannot be read are in them too, for
/// [`Prepared`](gptune_train::Prepared) to refuse with whatever else cannot be used.
///
/// # Errors
///
/// If there are none, or they are damaged.
pub fn open(config: &SourceConfig, questions: bool, voice: &dyn Voice) -> Result<(Source, String)> {
    let options = ReadOptions { skip_bad: true, questions };
    let mut digests = Vec::new();
    let mut open = |data: &str| -> Result<Option<Dataset>> {
        if data.is_empty() {
            return Ok(None);
        }
        let bytes = bytes_of(data, voice)?;
        digests.push(Sha256::digest(&bytes));
        let origin = if data == "sample" { "the built-in sample data".to_owned() } else { place(data, voice)? };
        Ok(Some(Dataset::parse_with(&origin, &bytes, options)?))
    };
    let parts = parts(config).map(&mut open);
    let [train, test, val] = parts;
    let source = match (train?, test?, val?) {
        (Some(train), None, None) if config.train_data.is_empty() => Source::Whole(train),
        (Some(train), test, val) => Source::Parts { train, test, val },
        (None, ..) => bail!("there are no data; name them with --data"),
    };
    Ok((source, digest_of(&digests)))
}

/// The fingerprint that a file or name of data alone has.
///
/// # Errors
///
/// If it cannot be read.
pub fn fingerprint_of(data: &str, voice: &dyn Voice) -> Result<String> {
    Ok(digest_of(&[Sha256::digest(bytes_of(data, voice)?)]))
}

/// What is trained on, answered and validated with; the whole of the data stands first.
#[must_use]
pub fn parts(config: &SourceConfig) -> [&str; 3] {
    if config.train_data.is_empty() {
        return [&config.data, "", ""];
    }
    [&config.train_data, &config.test_data, &config.val_data]
}

/// The digest of a file by that of its bytes; of several, the digest of their digests.
fn digest_of(digests: &[impl AsRef<[u8]>]) -> String {
    let digest = match digests {
        [one] => one.as_ref().to_vec(),
        several => Sha256::digest(several.iter().flat_map(AsRef::as_ref).copied().collect::<Vec<u8>>()).to_vec(),
    };
    fingerprint(&digest)
}

/// A SHA-256 digest as it is written, with the name of the method before it.
#[must_use]
pub fn fingerprint(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The file that a name stands for.
fn place(data: &str, voice: &dyn Voice) -> Result<String> {
    match remote_data(data) {
        Some(remote) => Ok(here_or_fetched(&remote, data, voice)?.display().to_string()),
        None => Ok(data.to_owned()),
    }
}

/// Reads what a name or file stands for, after a download if it is not on this machine.
fn bytes_of(data: &str, voice: &dyn Voice) -> Result<Cow<'static, [u8]>> {
    if data == "sample" {
        return Ok(assets::SAMPLE_DATA.into());
    }
    // Not built in, because its licence is not this project's.
    if remote_data(data).is_none() && !Path::new(data).exists() && !data.contains(['/', '\\', '.']) {
        bail!("unknown data '{data}': there is no such file, and the known names are sample, book, alpaca");
    }
    let path = place(data, voice)?;
    let path = Path::new(&path);
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok(bytes.into())
}

/// The flags that name a run's data.
#[must_use]
pub fn data_flags(source: &SourceConfig) -> String {
    let flags = [
        ("--data", &source.data),
        ("--train-data", &source.train_data),
        ("--val-data", &source.val_data),
        ("--test-data", &source.test_data),
    ];
    let given = flags.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(flag, value)| format!("{flag} {}", quoted(value))).collect::<Vec<_>>().join(" ")
}
