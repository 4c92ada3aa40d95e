//! Names of data.

use std::path::Path;

use anyhow::{Result, bail};
use gptune_data::Records;
use gptune_train::Source;
use sha2::{Digest, Sha256};

use crate::{
    SourceConfig, Voice, assets,
    download::{Remote, data_set},
    model::here_or_fetched,
    text::quoted,
};

/// What a name of data stands for, if it is neither built in nor a path on this machine.
#[must_use]
pub fn remote_data(data: &str) -> Option<Remote> {
    Remote::data(data, None).filter(|_| !Path::new(data).exists())
}

/// The data of a run, with their fingerprint, which says whether they are what they were.
///
/// A data set of the Hub that has splits of its own has them as parts, as if each had been named.
///
/// # Errors
///
/// If there are none, or they cannot be read.
pub fn open(config: &SourceConfig, voice: &dyn Voice) -> Result<(Source, String)> {
    let splits = own_splits(config, voice)?;
    let own_parts = splits.is_some() || !config.train_data.is_empty();
    let parts = if let Some(splits) = splits {
        splits
    } else {
        let named = |data: &str| if data.is_empty() { Ok(None) } else { records(data, voice).map(Some) };
        let [train, test, val] = parts(config).map(named);
        [train?, test?, val?]
    };
    let digests = parts.iter().flatten().map(Records::digest).collect::<Result<Vec<_>, _>>()?;
    let source = match parts {
        [Some(train), None, None] if !own_parts => Source::Whole(train),
        [Some(train), test, val] => Source::Parts { train, test, val },
        [None, ..] => bail!("there are no data; name them with --data"),
    };
    Ok((source, digest_of(&digests)))
}

/// What splits of data sets are called elsewhere: those to train on, to answer and to validate with.
const SPLITS: [&[&str]; 3] = [&["train"], &["test"], &["validation", "val", "valid", "dev"]];

/// The parts of a data set of the Hub, if the data are one and it has several splits.
fn own_splits(config: &SourceConfig, voice: &dyn Voice) -> Result<Option<[Option<Records>; 3]>> {
    if !config.train_data.is_empty() || is_here(&config.data) {
        return Ok(None);
    }
    let Some(set) = data_set(&config.data, voice)?.filter(|set| set.splits.len() > 1) else { return Ok(None) };
    let names: Vec<&str> = set.splits.iter().map(|(name, _)| name.as_str()).collect();
    let of = |wanted: &[&str]| {
        let found = set.splits.iter().find(|(name, _)| wanted.contains(&name.as_str()));
        found.map(|(name, files)| Records::of_files(&format!("{}:{name}", set.origin), files.clone())).transpose()
    };
    let [train, test, val] = SPLITS;
    let Some(train) = of(train)? else {
        bail!(
            "the data set {} has the splits {}, and none is called train; name one of them, such as {}:{}",
            config.data,
            names.join(", "),
            config.data,
            names[0]
        );
    };
    let (test, val) = (of(test)?, of(val)?);
    voice.note(&format!(
        "Note: the data set {0} has splits of its own ({1}), which are the parts here; {0}:train is one that is split",
        config.data,
        names.join(", ")
    ));
    Ok(Some([Some(train), test, val]))
}

/// Whether data are built in, on this machine, or one of the names that stand for a file.
#[must_use]
pub fn is_here(data: &str) -> bool {
    ["sample", "-"].contains(&data)
        || data.contains(['*', '?']) && !data.contains("://")
        || Path::new(data).exists()
        || remote_data(data).is_some()
}

/// The fingerprint that data alone have.
///
/// # Errors
///
/// If they cannot be read.
pub fn fingerprint_of(data: &str, voice: &dyn Voice) -> Result<String> {
    let source = SourceConfig { data: data.to_owned(), ..SourceConfig::default() };
    Ok(open(&source, voice)?.1)
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
    if let Some(set) = if is_here(data) { None } else { data_set(data, voice)? } {
        return match &set.splits[..] {
            [(_, files)] => Ok(Records::of_files(&set.origin, files.clone())?),
            splits => {
                let names: Vec<&str> = splits.iter().map(|(name, _)| name.as_str()).collect();
                bail!("the data set {data} has the splits {}; name one, such as {data}:{}", names.join(", "), names[0])
            }
        };
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
