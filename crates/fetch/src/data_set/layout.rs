//! How files lie in a repository: which of them are data, and which split they are of.

use std::collections::BTreeMap;

use super::{
    DataSetError, DataSetName,
    pattern::{escaped, matches},
    shards::natural,
};

/// Files that describe, whatever their ending.
const NO_DATA: [&str; 6] =
    ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "package.json"];

/// Words that stand for a split in names of folders and files.
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// Formats by the endings of their files, in the order in which one goes before another that as many files have.
const ENDINGS: [(&str, Format); 6] = [
    ("parquet", Format::Parquet),
    ("jsonl", Format::Json),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
    ("ndjson", Format::Json),
];

/// What files of data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Json,
    Csv,
}

/// Splits with their files, and the files that were left out.
pub(super) type Splits = (Vec<(String, Vec<String>)>, Vec<String>);

/// Splits by the names of folders and files, where nothing says them.
pub(super) fn found_in(name: &DataSetName, base: &str, files: &[String]) -> Result<Splits, DataSetError> {
    let base_pattern = escaped(base);
    let is_readable = |file: &&str| ending(file).is_some() && is_data(file);
    let like = |pattern: &str| {
        let pattern = format!("{base_pattern}{pattern}");
        let found = files.iter().map(String::as_str).filter(is_readable);
        found.filter(|file| matches(&pattern, file)).collect::<Vec<_>>()
    };
    let all = like("**");
    let place = if base.is_empty() { String::new() } else { format!(" in {}", base.trim_end_matches('/')) };
    let digits = "[0-9]".repeat(5);
    let mut sharded: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in like(&format!("data/*-{digits}-of-{digits}*.*")) {
        let stem = file.rsplit('/').next().unwrap_or(file);
        let at = stem.rfind("-of-").and_then(|at| at.checked_sub(6)).unwrap_or_default();
        sharded.entry(&stem[..at]).or_default().push(file);
    }
    if !sharded.is_empty() {
        let mut splits: Vec<_> = sharded.into_iter().map(|(split, files)| (split.to_owned(), files)).collect();
        splits.sort_by_key(|(split, _)| rank(split));
        return Ok(with_rest(of_one_format(name, splits, &place)?, &all));
    }
    let by_words = |forms: [&str; 4]| {
        let of = |words: &[&str]| {
            let pattern = |word: &&str| forms.map(|form| form.replace("WORD", word).replace("SEP", "[-._ 0-9]"));
            let patterns = words.iter().flat_map(pattern).filter(|pattern| !pattern.is_empty());
            patterns.flat_map(|pattern| like(&pattern)).collect::<Vec<_>>()
        };
        let splits = SPLITS.iter().map(|(split, words)| ((*split).to_owned(), of(words)));
        splits.filter(|(_, files)| !files.is_empty()).collect::<Vec<_>>()
    };
    let folders = by_words(["**/WORD/**", "**/WORDSEP*/**", "**/*SEPWORD/**", "**/*SEPWORDSEP*/**"]);
    let named = if folders.is_empty() { by_words(["**/WORDSEP*", "**/*SEPWORDSEP*", "", ""]) } else { folders };
    let splits = if named.is_empty() { vec![("train".to_owned(), all.clone())] } else { named };
    Ok(with_rest(of_one_format(name, splits, &place)?, &all))
}

/// The files that a pattern means; of those that describe only one that it names.
pub(super) fn matching<'a>(pattern: &str, files: &'a [String]) -> Vec<&'a str> {
    let is_named = |file: &&str| pattern.rsplit('/').next() == file.rsplit('/').next();
    let is_meant = |file: &&str| matches(pattern, file) && (is_named(file) || is_data(file));
    files.iter().map(String::as_str).filter(is_meant).collect()
}

/// Adds those of all files to what was left out that are in no split.
fn with_rest((splits, mut left_out): Splits, all: &[&str]) -> Splits {
    let is_used = |file: &&&str| splits.iter().any(|(_, own)| own.iter().any(|own| own == **file));
    left_out.extend(all.iter().filter(|file| !is_used(file)).map(|file| (*file).to_owned()));
    left_out.sort_unstable_by(|a, b| natural(a, b));
    left_out.dedup();
    (splits, left_out)
}

/// Keeps of each split the files of the format that most of them have, in the order of their numbers.
pub(super) fn of_one_format(
    name: &DataSetName,
    found: Vec<(String, Vec<&str>)>,
    place: &str,
) -> Result<Splits, DataSetError> {
    let (mut splits, mut left_out) = (Vec::new(), Vec::new());
    for (split, mut files) in found {
        files.sort_unstable_by(|a, b| natural(a, b));
        files.dedup();
        let count = |wanted: &str| files.iter().filter(|file| ending(file) == Some(wanted)).count();
        let most = ENDINGS.iter().rev().max_by_key(|(ending, _)| count(ending)).filter(|(ending, _)| count(ending) > 0);
        let Some((_, format)) = most else {
            return Err(DataSetError::NoFiles { repository: name.repository.clone(), place: place.to_owned() });
        };
        let (own, other): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| format_of(file) == Some(*format));
        splits.push((split, own.into_iter().map(str::to_owned).collect()));
        left_out.extend(other.into_iter().filter(|file| format_of(file).is_some()).map(str::to_owned));
    }
    left_out.retain(|file| !splits.iter().any(|(_, files): &(String, Vec<String>)| files.contains(file)));
    left_out.sort_unstable_by(|a, b| natural(a, b));
    left_out.dedup();
    Ok((splits, left_out))
}

/// Whether a file is no description.
fn is_data(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    !NO_DATA.contains(&name)
}

/// The ending that tells the format of a file, in the spelling of the list; under that of a compression if need be.
pub(super) fn ending(file: &str) -> Option<&'static str> {
    let name = file.rsplit('/').next()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let own = name.rsplit_once('.')?.1;
    ENDINGS.iter().find(|(ending, _)| *ending == own).map(|(ending, _)| *ending)
}

fn format_of(file: &str) -> Option<Format> {
    let own = ending(file)?;
    ENDINGS.iter().find(|(ending, _)| *ending == own).map(|(_, format)| *format)
}

/// Training, validation and test come before others, which come by their names.
pub(super) fn rank(split: &str) -> usize {
    SPLITS.iter().position(|(known, _)| *known == split).unwrap_or(SPLITS.len())
}
