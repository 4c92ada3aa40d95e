//! Names of data.

use std::path::Path;

use anyhow::{Result, bail};
use gptune_data::Records;
use gptune_train::Source;
use sha2::{Digest, Sha256};

use crate::{SourceConfig, Voice, assets, download::Remote, model::here_or_fetched, text::quoted};

/// What a name of data stands for, if it is neither built in nor a path on this machine.
#[must_use]
pub fn remote_data(data: &str) -> Option<Remote> {
    Remote::data(data, None).filter(|_| !Path::new(data).exists())
}

/// The data of a run, with their fingerprint, which says whether they are what they were.
///
/// # Errors
///
/// If there are none, or they cannot be read.
pub fn open(config: &SourceConfig, voice: &dyn Voice) -> Result<(Source, String)> {
    let mut digests = Vec::new();
    let mut open = |data: &str| -> Result<Option<Records>> {
        if data.is_empty() {
            return Ok(None);
        }
        let records = records(data, voice)?;
        digests.push(records.digest()?);
        Ok(Some(records))
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

/// The fingerprint that data alone have.
///
/// # Errors
///
/// If they cannot be read.
pub fn fingerprint_of(data: &str, voice: &dyn Voice) -> Result<String> {
    Ok(digest_of(&[records(data, voice)?.digest()?]))
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

/// The records of what a name, a file, a folder or a pattern stands for, after a download if it is not on this machine.
///
/// # Errors
///
/// If there is no such thing, or it cannot be read.
pub fn records(data: &str, voice: &dyn Voice) -> Result<Records> {
    if data == "sample" {
        return Ok(Records::of_bytes("the built-in sample data", assets::SAMPLE_DATA.into()));
    }
    if let Some(remote) = remote_data(data) {
        return Ok(Records::open(&here_or_fetched(&remote, data, voice)?.display().to_string())?);
    }
    // Not built in, because its licence is not this project's.
    if data != "-" && !Path::new(data).exists() && !data.contains(['/', '\\', '.', '*', '?', '[']) {
        bail!("unknown data '{data}': there is no such file, and the known names are sample, book, alpaca");
    }
    Ok(Records::open(data)?)
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
