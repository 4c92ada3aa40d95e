//! The files that a place names.

use std::{
    cmp::Ordering,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use glob::MatchOptions;

use super::source::Kind;
use crate::DataError;

/// The files of a file's name, a folder or a pattern.
pub(super) fn files(place: &str) -> Result<Vec<PathBuf>, DataError> {
    let path = Path::new(place);
    let no_files = |problem: &str| DataError::NoFiles { place: place.to_owned(), problem: problem.to_owned() };
    let is_pattern = place.contains(['*', '?', '[']);
    let files = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let read = |source| DataError::Read { path: path.to_owned(), source };
            let entries = std::fs::read_dir(path).map_err(read)?;
            let paths: Vec<PathBuf> =
                entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().map_err(read)?;
            let data: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_file() && is_data(path)).collect();
            if data.is_empty() {
                return Err(no_files(
                    "is a folder without data; the files that are read in a folder end in .json, .jsonl, .ndjson, .csv, \
                     .tsv or .parquet, and .gz or .zst after that",
                ));
            }
            data
        }
        Err(_) if is_pattern => {
            let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() };
            let paths = glob::glob_with(place, options)
                .map_err(|error| no_files(&format!("is no pattern for files: {}", error.msg)))?;
            let paths: Vec<PathBuf> = paths
                .collect::<Result<_, _>>()
                .map_err(|error| DataError::Read { path: error.path().to_owned(), source: error.into() })?;
            let files: Vec<PathBuf> = paths.into_iter().filter(|path| !path.is_dir()).collect();
            if files.is_empty() {
                return Err(no_files("matches no file; check the pattern and the folder that it stands for"));
            }
            files
        }
        // What is wrong with it says whoever opens it.
        _ => vec![path.to_owned()],
    };
    let mut files = files;
    files.sort_by(|a, b| natural(a, b));
    Ok(files)
}

/// Whether a file of a folder holds records, by its name. What describes a data set lies beside it in published ones.
fn is_data(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let describes = ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"].contains(&name);
    !name.starts_with('.') && !describes && Kind::of_name(name).is_some()
}

/// The order of paths in which `part-2` comes before `part-10`.
fn natural(a: &Path, b: &Path) -> Ordering {
    let [first, second] = [a, b].map(|path| path.as_os_str().as_encoded_bytes());
    let mut rest = (first, second);
    loop {
        let [a_digits, b_digits] = [rest.0, rest.1].map(digits);
        if a_digits > 0 && b_digits > 0 {
            let [a_number, b_number] = [&rest.0[..a_digits], &rest.1[..b_digits]].map(without_zeros);
            match a_number.len().cmp(&b_number.len()).then_with(|| a_number.cmp(b_number)) {
                Ordering::Equal => rest = (&rest.0[a_digits..], &rest.1[b_digits..]),
                order => return order,
            }
        } else {
            match (rest.0.split_first(), rest.1.split_first()) {
                (Some((a, a_rest)), Some((b, b_rest))) if a == b => rest = (a_rest, b_rest),
                // The same but for zeros before numbers: some order, and always the same.
                (None, None) => return first.cmp(second),
                (a, b) => return a.map(|(byte, _)| byte).cmp(&b.map(|(byte, _)| byte)),
            }
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|&&byte| byte == b'0').count()..]
}

/// What files are called in the places of records: nothing if there is only one, else their names, or their whole paths
/// where two have the same name.
pub(super) fn short_names<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<Option<Arc<str>>> {
    let paths: Vec<&Path> = paths.collect();
    if paths.len() == 1 {
        return vec![None];
    }
    let names: Vec<&OsStr> = paths.iter().map(|path| path.file_name().unwrap_or(path.as_os_str())).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let short = distinct.len() == names.len();
    let name = |(path, name): (&Path, &OsStr)| {
        let name = if short { name } else { path.as_os_str() };
        Some(Arc::from(name.to_string_lossy()))
    };
    paths.into_iter().zip(names).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_by_their_values() {
        let mut names = ["b", "part-10", "part-2", "part-02", "part-2-b", "part", "a/3", "a/20"].map(PathBuf::from);
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names.map(|name| name.display().to_string()),
            ["a/3", "a/20", "b", "part", "part-02", "part-2", "part-2-b", "part-10"]
        );
    }

    #[test]
    fn files_of_one_name_are_called_by_their_paths() {
        let names = |paths: &[&str]| {
            let names = short_names(paths.iter().map(Path::new));
            names.into_iter().map(|name| name.map(|name| name.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(names(&["x/a"]), [None]);
        assert_eq!(names(&["x/a", "y/b"]), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(names(&["x/a", "y/a"]), [Some("x/a".to_owned()), Some("y/a".to_owned())]);
    }
}
