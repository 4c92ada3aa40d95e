//! What the description of a data set says of its files.

use super::{
    DataSetError,
    pattern::is_pattern,
    yaml::{Fault, Node, value_of},
};

/// Files with descriptions; what a later one says goes before what an earlier one does.
pub(crate) const CARDS: [&str; 2] = ["README.md", ".huggingface.yaml"];

/// Keys by which `datasets` reads files otherwise than they are read here.
const READING: [&str; 22] = [
    "sep",
    "delimiter",
    "header",
    "names",
    "column_names",
    "index_col",
    "usecols",
    "skiprows",
    "nrows",
    "skipfooter",
    "quotechar",
    "quoting",
    "escapechar",
    "doublequote",
    "comment",
    "encoding",
    "decimal",
    "thousands",
    "skipinitialspace",
    "field",
    "columns",
    "filters",
];

/// A part of a data set that stands for itself, such as a language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Config {
    pub name: String,
    /// Whether it says that it is meant where none is named.
    pub is_default: bool,
    /// Splits with patterns of their files, if it says them.
    pub splits: Option<Vec<(String, Vec<String>)>>,
    /// The folder that its files are in; empty for that of the repository.
    pub folder: String,
    /// A key that says how files are to be read, and the file that has it.
    pub reading: Option<(String, &'static str)>,
    /// The file that describes it, if any does.
    pub card: Option<&'static str>,
}

/// The configurations that a description names: none if it says nothing of them.
pub(crate) fn read(repository: &str, card: &'static str, text: &str) -> Result<Vec<Config>, DataSetError> {
    configurations(card, text).map_err(|(line, problem)| {
        let (repository, file) = (repository.to_owned(), card.to_owned());
        DataSetError::Card { repository, file, line, problem }
    })
}

fn configurations(card: &'static str, text: &str) -> Result<Vec<Config>, Fault> {
    let yaml = if card == CARDS[0] { front_matter(text) } else { Some((text, 1)) };
    let Some((yaml, first)) = yaml else {
        return Ok(Vec::new());
    };
    let items = match value_of("configs", yaml, first)? {
        None | Some(Node::Null) => return Ok(Vec::new()),
        Some(Node::List(items)) => items,
        Some(_) => return Err((first, "'configs' has to be a list".to_owned())),
    };
    let mut configurations: Vec<Config> = Vec::new();
    for item in items {
        let Node::Map(entries) = item else {
            return Err((first, "each of 'configs' has to have a config_name".to_owned()));
        };
        let line = entries.first().map_or(first, |(_, line, _)| *line);
        let configuration = configuration(card, entries)?;
        if configuration.name.is_empty() {
            return Err((line, "each of 'configs' has to have a config_name".to_owned()));
        }
        if configurations.iter().any(|known| known.name == configuration.name) {
            return Err((line, format!("the configuration '{}' is there twice", configuration.name)));
        }
        configurations.push(configuration);
    }
    Ok(configurations)
}

fn configuration(card: &'static str, entries: Vec<(String, usize, Node)>) -> Result<Config, Fault> {
    let mut configuration = Config { card: Some(card), ..Config::default() };
    for (key, line, value) in entries {
        match (key.as_str(), value) {
            ("config_name", Node::Text(name)) => configuration.name = name,
            ("default", Node::Text(value)) => configuration.is_default = value.eq_ignore_ascii_case("true"),
            ("data_dir", Node::Text(folder)) => {
                configuration.folder = place(folder.trim_matches('/').to_owned(), line)?;
            }
            ("data_files", Node::Null) => {}
            ("data_files", value) => configuration.splits = Some(splits(value, line)?),
            ("config_name" | "data_dir", _) => return Err((line, format!("'{key}' has to be text"))),
            // What it is without being told.
            ("sep" | "delimiter", Node::Text(value)) if value == "," => {}
            (key, _) if READING.contains(&key) => configuration.reading = Some((key.to_owned(), card)),
            _ => {}
        }
    }
    Ok(configuration)
}

/// Splits with the patterns of their files.
fn splits(value: Node, line: usize) -> Result<Vec<(String, Vec<String>)>, Fault> {
    let mut train = Vec::new();
    let mut splits: Vec<(String, Vec<String>)> = Vec::new();
    for item in if let Node::List(items) = value { items } else { vec![value] } {
        match item {
            Node::Map(entries) => {
                let line = entries.first().map_or(line, |(_, line, _)| *line);
                let (mut name, mut paths) = (None, None);
                for (key, line, value) in entries {
                    match (key.as_str(), value) {
                        ("split", Node::Text(split)) => name = Some(split),
                        ("path", value) => paths = Some(patterns(value, line)?),
                        _ => {
                            return Err((
                                line,
                                format!("'{key}' is not read here; an entry of data_files has split and path"),
                            ));
                        }
                    }
                }
                let (Some(name), Some(paths)) = (name, paths) else {
                    return Err((line, "an entry of data_files has to have split and path".to_owned()));
                };
                if splits.iter().any(|(known, _)| *known == name) {
                    return Err((line, format!("the split '{name}' is there twice")));
                }
                splits.push((name, paths));
            }
            text => train.extend(patterns(text, line)?),
        }
    }
    match (train.is_empty(), splits.is_empty()) {
        (true, false) => Ok(splits),
        (false, true) => Ok(vec![("train".to_owned(), train)]),
        _ => Err((line, "data_files has to be names of files, or entries with split and path".to_owned())),
    }
}

fn patterns(value: Node, line: usize) -> Result<Vec<String>, Fault> {
    let items = if let Node::List(items) = value { items } else { vec![value] };
    let text = |item| match item {
        Node::Text(text) => place(text.strip_prefix("./").map_or(text.clone(), str::to_owned), line),
        _ => Err((line, "names of files have to be text".to_owned())),
    };
    items.into_iter().map(text).collect()
}

/// Refuses what is not in the repository, or means different things to different programs.
fn place(text: String, line: usize) -> Result<String, Fault> {
    let has_odd_stars = text.split('/').any(|part| part.contains("**") && part != "**");
    // That of another place has a colon.
    if !text.is_empty() && !crate::is_safe(&text) {
        Err((line, format!("'{text}' is not a file of the repository")))
    } else if has_odd_stars || (is_pattern(&text) && text.contains('{')) {
        Err((line, format!("the pattern '{text}' is not read here")))
    } else {
        Ok(text)
    }
}

/// What is between two lines of dashes at the beginning, and the number of its first line.
fn front_matter(text: &str) -> Option<(&str, usize)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let blank = text.len() - text.trim_start().len();
    let (before, text) = text.split_at(blank);
    let body = text.strip_prefix("---")?;
    let body = body.strip_prefix('\r').unwrap_or(body).strip_prefix('\n')?;
    let mut length = 0;
    for line in body.split_inclusive('\n') {
        if line.trim_end_matches(['\r', '\n']) == "---" {
            return Some((&body[..length], before.matches('\n').count() + 2));
        }
        length += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(yaml: &str) -> String {
        read("a/b", "README.md", &format!("---\n{yaml}\n---\n")).unwrap_err().to_string()
    }

    #[test]
    fn configurations_have_splits_or_a_folder() {
        let text = "\n---\r\nlicense: mit\r\nconfigs:\r\n- config_name: a\r\n  data_files: x.csv\r\n- config_name: b\r\n  \
                    default: true\r\n  data_dir: y/\r\n---\r\n# configs:\r\n";
        let found = read("a/b", "README.md", text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].splits, Some(vec![("train".to_owned(), vec!["x.csv".to_owned()])]));
        assert_eq!((found[1].folder.as_str(), found[1].is_default, &found[1].splits), ("y", true, &None));
        for nothing in ["", "# Data\nconfigs:\n", "---\nlicense: mit\n---\n", "---\nconfigs:\n", "---\nconfigs:\n---\n"]
        {
            assert_eq!(read("a/b", "README.md", nothing), Ok(Vec::new()), "{nothing}");
        }
    }

    #[test]
    fn mistakes_are_said_with_their_line() {
        let start = "cannot tell which files the data set 'a/b' has: README.md, line ";
        let end = "; name the files as hf://datasets/a/b/FILE";
        let item = "configs:\n- config_name: c\n";
        for (yaml, expected) in [
            ("x: 1\nconfigs: {}".to_owned(), "3: this way to write a value is not read"),
            ("configs: a".to_owned(), "2: 'configs' has to be a list"),
            ("configs:\n- data_files: x".to_owned(), "3: each of 'configs' has to have a config_name"),
            (format!("{item}- config_name: c"), "4: the configuration 'c' is there twice"),
            (format!("{item}  data_files:\n  - split: a"), "5: an entry of data_files has to have split and path"),
            (format!("{item}  data_files: https://x/y.csv"), "4: 'https://x/y.csv' is not a file of the repository"),
            (format!("{item}  data_files: ../y.csv"), "4: '../y.csv' is not a file of the repository"),
            (format!("{item}  data_files: \"**.csv\""), "4: the pattern '**.csv' is not read here"),
            (
                format!("{item}  data_files:\n  - a\n  - split: b\n    path: c"),
                "4: data_files has to be names of files",
            ),
        ] {
            let error = problem(&yaml);
            assert!(error.starts_with(&format!("{start}{expected}")) && error.ends_with(end), "{error}");
        }
    }
}
