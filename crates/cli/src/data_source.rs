//! Names of data.

use std::{borrow::Cow, path::Path};

use anyhow::{Result, bail};
use gptune_data::{DataError, Dataset, ReadOptions};
use gptune_train::{Source, TrainConfig};
use sha2::{Digest, Sha256};

use crate::{assets, download::Remote, model_source::here_or_fetched};

/// What a name of data stands for, if it is neither built in nor a path on this machine.
pub(crate) fn remote_data(data: &str) -> Option<Remote> {
    Remote::data(data, None).filter(|_| !Path::new(data).exists())
}

/// The data of a run, with the digest of their bytes.
///
/// # Errors
///
/// If there are none, or they are damaged.
pub(crate) fn open(config: &TrainConfig, questions: bool) -> Result<(Source, String)> {
    let options = ReadOptions { skip_bad: config.skip_bad, questions };
    if config.train_data.is_empty() {
        let (dataset, digest) = open_one(&config.data, options)?;
        return Ok((Source::Whole(dataset), fingerprint(&digest)));
    }
    let (train, mut digests) = open_one(&config.train_data, options)?;
    let mut part = |name: &str| -> Result<Option<Dataset>> {
        if name.is_empty() {
            return Ok(None);
        }
        let (dataset, digest) = open_one(name, options)?;
        digests.extend(digest);
        Ok(Some(dataset))
    };
    let (test, val) = (part(&config.test_data)?, part(&config.val_data)?);
    // Of several files, the digest of their digests.
    Ok((Source::Parts { train, test, val }, fingerprint(&Sha256::digest(&digests))))
}

/// The digest of what a name or file of data stands for.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn fingerprint_of(data: &str) -> Result<String> {
    Ok(fingerprint(&Sha256::digest(bytes_of(data)?)))
}

fn fingerprint(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn open_one(data: &str, options: ReadOptions) -> Result<(Dataset, Vec<u8>)> {
    let bytes = bytes_of(data)?;
    let origin = if data == "sample" { "the built-in sample data".to_owned() } else { place(data)? };
    Ok((Dataset::parse_with(&origin, &bytes, options)?, Sha256::digest(&bytes).to_vec()))
}

/// The file that a name stands for.
fn place(data: &str) -> Result<String> {
    match remote_data(data) {
        Some(remote) => Ok(here_or_fetched(&remote, data)?.display().to_string()),
        None => Ok(data.to_owned()),
    }
}

/// Reads what a name or file stands for, after a download if it is not on this machine.
fn bytes_of(data: &str) -> Result<Cow<'static, [u8]>> {
    if data == "sample" {
        return Ok(assets::SAMPLE_DATA.into());
    }
    // Not built in, because its licence is not this project's.
    if remote_data(data).is_none() && !Path::new(data).exists() && !data.contains(['/', '\\', '.']) {
        bail!("unknown data '{data}': there is no such file, and the known names are sample, book, alpaca");
    }
    let path = place(data)?;
    let path = Path::new(&path);
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok(bytes.into())
}
