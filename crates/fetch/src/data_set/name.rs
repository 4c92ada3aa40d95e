//! Names of data sets.

use std::fmt;

use super::DataSetError;

/// Where names of the Hub begin that cannot be paths.
const SCHEME: &str = "hf://";

/// Endings of files, which names of repositories do not have: what ends so is a path, if a mistaken one.
const FILE_ENDINGS: [&str; 16] = [
    ".json",
    ".jsonl",
    ".ndjson",
    ".csv",
    ".tsv",
    ".parquet",
    ".txt",
    ".gz",
    ".zst",
    ".zip",
    ".toml",
    ".safetensors",
    ".pth",
    ".pt",
    ".bin",
    ".gguf",
];

/// A data set of the Hub, or a part of it.
///
/// `OWNER/NAME`, then `@REVISION` (a branch, tag or commit, `main` if none is named), then `:CONFIGURATION`, `:SPLIT` or
/// `:CONFIGURATION:SPLIT`. With `hf://datasets/` before it, it can be no path on this machine, and a file, a folder or
/// a pattern such as `data/*.parquet` may follow after another `/` instead of configuration and split. Displayed as
/// such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSetName {
    /// `OWNER/NAME`.
    pub repository: String,
    /// A branch, tag or commit.
    pub revision: Option<String>,
    /// What is meant of its files: a file, a folder or a pattern.
    pub path: Option<String>,
    /// A configuration or a split; or a configuration, and a split or nothing.
    pub labels: Vec<String>,
}

impl DataSetName {
    /// Reads a name. None if it has not the form of one: it may be a path, or a name of something else.
    ///
    /// # Errors
    ///
    /// [`DataSetError::Name`] if it has the form and is none.
    pub fn parse(name: &str) -> Result<Option<Self>, DataSetError> {
        let wrong = |problem| DataSetError::Name { name: name.to_owned(), problem };
        let Some(rest) = name.strip_prefix(SCHEME) else {
            return Self::parse_short(name).map_err(wrong);
        };
        let rest =
            rest.strip_prefix("datasets/").ok_or_else(|| wrong("of the Hub it has to begin with hf://datasets/"))?;
        let (rest, labels) = rest.split_once(':').map_or((rest, None), |(rest, labels)| (rest, Some(labels)));
        let end = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
        // A revision may have slashes of its own.
        let end = rest.find('@').map_or(end, |at| at.min(end));
        let (repository, rest) = rest.split_at(end);
        if !is_repository(repository) {
            return Err(wrong("OWNER/NAME has to follow after hf://datasets/"));
        }
        let (revision, path) = match rest.strip_prefix('@') {
            Some(rest) => {
                let (revision, path) = rest.split_at(revision_length(rest));
                (Some(revision.replace("%2F", "/")), path)
            }
            None => (None, rest),
        };
        let path = path.trim_matches('/');
        let path = (!path.is_empty()).then(|| path.to_owned());
        if path.is_some() && labels.is_some() {
            return Err(wrong("a file or folder of it has no configuration and no split"));
        }
        Self::checked(repository, revision, path, labels).map(Some).map_err(wrong)
    }

    /// Reads a name that may be a path.
    fn parse_short(name: &str) -> Result<Option<Self>, &'static str> {
        let is_file = FILE_ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
        let (rest, labels) = name.split_once(':').map_or((name, None), |(rest, labels)| (rest, Some(labels)));
        let (repository, revision) =
            rest.split_once('@').map_or((rest, None), |(rest, at)| (rest, Some(at.to_owned())));
        if is_file || !is_repository(repository) {
            return Ok(None);
        }
        Self::checked(repository, revision, None, labels).map(Some)
    }

    fn checked(
        repository: &str,
        revision: Option<String>,
        path: Option<String>,
        labels: Option<&str>,
    ) -> Result<Self, &'static str> {
        let labels: Vec<_> = labels.iter().flat_map(|labels| labels.split(':')).map(str::to_owned).collect();
        // An empty split after a configuration says that it is one.
        let is_label = |(place, label): (usize, &String)| {
            let is_usual = |c: char| !c.is_control() && !['/', '\\', '[', ']', '@', '*', '?'].contains(&c);
            (place == 1 || !label.is_empty()) && label.chars().all(is_usual)
        };
        if revision.as_deref().is_some_and(|revision| !crate::is_safe(revision)) {
            return Err("the revision after the @ has to be a branch, a tag or a commit");
        }
        if path.as_deref().is_some_and(|path| !crate::is_safe(path)) {
            return Err("the file in it has to be a relative path without '..'");
        }
        if labels.len() > 2 || !labels.iter().enumerate().all(is_label) {
            return Err("after a colon comes a configuration or a whole split, and no part of one");
        }
        Ok(Self { repository: repository.to_owned(), revision, path, labels })
    }
}

impl fmt::Display for DataSetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, revision, path, labels } = self;
        let scheme = if path.is_some() { "hf://datasets/" } else { "" };
        write!(f, "{scheme}{repository}")?;
        if let Some(revision) = revision {
            let is_plain = path.is_none() || revision_length(revision) == revision.len();
            let revision = if is_plain { revision.clone() } else { revision.replace('/', "%2F") };
            write!(f, "@{revision}")?;
        }
        path.iter().try_for_each(|path| write!(f, "/{path}"))?;
        labels.iter().try_for_each(|label| write!(f, ":{label}"))
    }
}

/// Whether this is like `OWNER/NAME`.
fn is_repository(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_usual = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(is_usual) && !part.contains("--")
    };
    name.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

/// How much of what follows after an `@` is the revision: up to a slash, but for the references that have some.
fn revision_length(text: &str) -> usize {
    let names = if text.starts_with("refs/pr/") || text.starts_with("refs/convert/") { 2 } else { 0 };
    text.match_indices('/').nth(names).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> (String, Option<String>, Option<String>, Vec<String>) {
        let DataSetName { repository, revision, path, labels } = DataSetName::parse(name).unwrap().unwrap();
        (repository, revision, path, labels)
    }

    #[test]
    fn names_have_a_revision_and_labels_or_a_path() {
        let some = |text: &str| Some(text.to_owned());
        let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>();
        for (name, revision, path, wanted) in [
            ("a/b", None, None, labels(&[])),
            ("a/b@v1.0", some("v1.0"), None, labels(&[])),
            ("a/b@refs/pr/1:train", some("refs/pr/1"), None, labels(&["train"])),
            ("a/b:main:test", None, None, labels(&["main", "test"])),
            ("a/b:train:", None, None, labels(&["train", ""])),
            ("hf://datasets/a/b", None, None, labels(&[])),
            ("hf://datasets/a/b/", None, None, labels(&[])),
            ("hf://datasets/a/b@x:train", some("x"), None, labels(&["train"])),
            ("hf://datasets/a/b/data/*.parquet", None, some("data/*.parquet"), labels(&[])),
            ("hf://datasets/a/b@refs/pr/3/x.json", some("refs/pr/3"), some("x.json"), labels(&[])),
            ("hf://datasets/a/b@f%2Fg/x/y.json", some("f/g"), some("x/y.json"), labels(&[])),
        ] {
            assert_eq!(parsed(name), ("a/b".to_owned(), revision, path, wanted), "{name}");
            let shown = DataSetName::parse(name).unwrap().unwrap().to_string();
            assert_eq!(parsed(&shown), parsed(name), "{name}");
        }
    }

    #[test]
    fn paths_are_no_names_and_mistakes_are_said() {
        for path in [
            "data.json",
            "a/b.jsonl",
            "a/b.json.gz",
            "a/b.CSV",
            "a/b/c",
            "./a",
            "../a/b",
            "/a/b",
            "C:/a/b",
            "book",
            "a/b c",
            "a/b:c.json",
            "a--b/c",
            "",
        ] {
            assert_eq!(DataSetName::parse(path), Ok(None), "{path}");
        }
        for (name, words) in [
            ("a/b@", "the revision after the @"),
            ("a/b@../x", "the revision after the @"),
            ("a/b:", "after a colon"),
            ("a/b:train[:10]", "no part of one"),
            ("a/b:x:y:z", "after a colon"),
            ("hf://a/b", "hf://datasets/"),
            ("hf://datasets/a", "OWNER/NAME has to follow"),
            ("hf://datasets/a/b/../c", "without '..'"),
            ("hf://datasets/a/b/c.json:train", "no configuration and no split"),
        ] {
            let error = DataSetName::parse(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("'{name}' names no data set: ")) && error.contains(words), "{error}");
        }
    }
}
