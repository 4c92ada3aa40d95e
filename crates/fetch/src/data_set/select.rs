//! Which configuration and splits are meant.

use std::collections::BTreeMap;

use super::{
    Config, DataSetError, DataSetName,
    layout::{Splits, ending, found_in, matching, of_one_format, rank},
    pattern::{escaped, is_pattern},
};

/// The files that are meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub configuration: Option<String>,
    /// Splits with their files in order.
    pub splits: Vec<(String, Vec<String>)>,
    /// Files of another format that are in the same places.
    pub left_out: Vec<String>,
}

/// The program that makes a data set, if one does.
pub(crate) fn script<'a>(name: &DataSetName, files: &'a [String]) -> Option<&'a str> {
    let own = format!("{}.py", name.repository.split('/').nth(1).unwrap_or_default());
    files.iter().find(|file| **file == own).map(String::as_str)
}

/// Chooses files of a repository.
pub(crate) fn select(
    name: &DataSetName,
    files: &[String],
    configurations: &[Config],
) -> Result<Selection, DataSetError> {
    if let Some(path) = &name.path {
        let (splits, left_out) = at_path(name, path, files)?;
        return Ok(Selection { configuration: None, splits, left_out });
    }
    let whole = [Config { name: "default".to_owned(), ..Config::default() }];
    let is_described = !configurations.is_empty();
    let configurations = if is_described { configurations } else { &whole };
    let labels: Vec<&str> = name.labels.iter().map(String::as_str).collect();
    let default = match configurations {
        [only] => Some(only),
        several => several.iter().find(|one| one.name == "default" || one.is_default),
    };
    let named = |label: &str| configurations.iter().find(|one| one.name == label);
    let no_label = |label: &str, splits: &[(String, Vec<String>)]| {
        let quoted = |names: Vec<&str>| names.join(", ");
        let splits = quoted(splits.iter().map(|(split, _)| split.as_str()).collect());
        let known = quoted(configurations.iter().map(|one| one.name.as_str()).collect());
        let known = match (is_described, splits.is_empty()) {
            (false, _) => format!("the splits {splits}"),
            (true, true) => format!("the configurations {known}"),
            (true, false) => format!("the configurations {known} and the splits {splits}"),
        };
        DataSetError::NoLabel { repository: name.repository.clone(), label: label.to_owned(), known }
    };
    let (chosen, split) = match labels[..] {
        [] => (default, None),
        [label] => match (named(label), default) {
            (Some(own), Some(default)) if own != default && has_split(name, default, files, label) => {
                let (repository, label) = (name.repository.clone(), label.to_owned());
                return Err(DataSetError::Ambiguous { repository, label, default: default.name.clone() });
            }
            (Some(own), _) => (Some(own), None),
            (None, Some(default)) => (Some(default), Some(label)),
            (None, None) => return Err(no_label(label, &[])),
        },
        [label, split, ..] => {
            (Some(named(label).ok_or_else(|| no_label(label, &[]))?), (!split.is_empty()).then_some(split))
        }
    };
    let Some(chosen) = chosen else {
        let known = configurations.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let first = configurations[0].name.clone();
        return Err(DataSetError::NoDefault { repository: name.repository.clone(), first, known });
    };
    if let Some((key, file)) = &chosen.reading {
        let (key, file) = (key.clone(), (*file).to_owned());
        return Err(DataSetError::Key { repository: name.repository.clone(), file, key });
    }
    let (mut splits, left_out) = splits_of(name, chosen, files)?;
    if let Some(split) = split {
        if !splits.iter().any(|(known, _)| known == split) {
            return Err(no_label(split, &splits));
        }
        splits.retain(|(known, _)| known == split);
    }
    if let Some((split, _)) = splits.iter().find(|(split, _)| split.starts_with(PARTIAL) && chosen.card.is_none()) {
        let (folder, split) = (format!("{}/{split}", chosen.name), split[PARTIAL.len()..].to_owned());
        return Err(DataSetError::Partial { repository: name.repository.clone(), split, folder });
    }
    Ok(Selection { configuration: is_described.then(|| chosen.name.clone()), splits, left_out })
}

/// What stands before the name of a split that the Hub converted the beginning of.
const PARTIAL: &str = "partial-";

/// The configurations of what the Hub converted: `CONFIGURATION/SPLIT/0000.parquet`.
pub(crate) fn configurations_of_conversion(files: &[String]) -> Vec<Config> {
    let mut found: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for file in files {
        if let [name, split, _] = file.split('/').collect::<Vec<_>>()[..]
            && ending(file) == Some("parquet")
        {
            found.entry(name).or_default().entry(split).or_default().push(escaped(file));
        }
    }
    let configuration = |(name, splits): (&str, BTreeMap<&str, Vec<String>>)| {
        let mut splits: Vec<_> = splits.into_iter().map(|(split, files)| (split.to_owned(), files)).collect();
        splits.sort_by_key(|(split, _)| rank(split));
        Config { name: name.to_owned(), splits: Some(splits), ..Config::default() }
    };
    found.into_iter().map(configuration).collect()
}

fn has_split(name: &DataSetName, configuration: &Config, files: &[String], split: &str) -> bool {
    splits_of(name, configuration, files).is_ok_and(|(splits, _)| splits.iter().any(|(known, _)| known == split))
}

fn splits_of(name: &DataSetName, configuration: &Config, files: &[String]) -> Result<Splits, DataSetError> {
    let Config { splits, folder, card, .. } = configuration;
    let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let Some(splits) = splits else {
        return found_in(name, &base, files);
    };
    let place = card.map_or_else(String::new, |card| format!(", which its {card} names"));
    let no_match = |pattern: &str| DataSetError::NoMatch {
        repository: name.repository.clone(),
        pattern: format!("{base}{pattern}"),
        place: place.clone(),
    };
    let mut found = Vec::new();
    for (split, patterns) in splits {
        let mut own = Vec::new();
        for pattern in patterns {
            let before = own.len();
            own.extend(matching(&format!("{base}{pattern}"), files));
            if own.len() == before && !is_pattern(pattern) {
                return Err(no_match(pattern));
            }
        }
        if own.is_empty() {
            return Err(no_match(&patterns.join(", ")));
        }
        found.push((split.clone(), own));
    }
    of_one_format(name, found, "")
}

/// A file, a folder, or what is like a pattern.
fn at_path(name: &DataSetName, path: &str, files: &[String]) -> Result<Splits, DataSetError> {
    if files.iter().any(|file| file == path) {
        return Ok((vec![("train".to_owned(), vec![path.to_owned()])], Vec::new()));
    }
    let folder = format!("{path}/");
    if files.iter().any(|file| file.starts_with(&folder)) {
        return found_in(name, &folder, files);
    }
    let found = if is_pattern(path) { matching(path, files) } else { Vec::new() };
    if found.is_empty() {
        let (repository, pattern) = (name.repository.clone(), path.to_owned());
        return Err(DataSetError::NoMatch { repository, pattern, place: String::new() });
    }
    of_one_format(name, vec![("train".to_owned(), found)], "")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::data_set::read_card;

    fn texts(value: &Value) -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn named(name: &str) -> DataSetName {
        DataSetName::parse(name).unwrap().unwrap()
    }

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn shown(splits: &[(String, Vec<String>)]) -> Vec<String> {
        splits.iter().map(|(split, files)| format!("{split}={}", files.join(","))).collect()
    }

    #[test]
    fn the_files_are_those_that_datasets_reads() {
        let fixture: Value = serde_json::from_str(include_str!("../../tests/fixtures/data_sets.json")).unwrap();
        let cases = fixture["cases"].as_array().unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let (name, files) = (case["name"].as_str().unwrap(), texts(&case["files"]));
            let configurations = read_card("a/b", "README.md", case["readme"].as_str().unwrap_or_default()).unwrap();
            for (configuration, expected) in case["configurations"].as_object().unwrap() {
                let wanted = if configuration.is_empty() { "a/b".to_owned() } else { format!("a/b:{configuration}:") };
                let found = select(&named(&wanted), &files, &configurations).unwrap();
                let expected = expected.as_object().unwrap();
                let names: Vec<_> = found.splits.iter().map(|(split, _)| split.as_str()).collect();
                let theirs: BTreeSet<_> = expected.keys().map(String::as_str).collect();
                assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), theirs, "{name}");
                for (split, own) in &found.splits {
                    let mut own = own.clone();
                    own.sort();
                    assert_eq!(own, texts(&expected[split]), "{name}, {configuration}, {split}");
                }
            }
            let found = select(&named("a/b"), &files, &configurations);
            match case["default"].as_str() {
                Some(default) => assert_eq!(found.unwrap().configuration.as_deref(), Some(default), "{name}"),
                None => assert_eq!(found.unwrap().configuration, None, "{name}"),
            }
        }
    }

    #[test]
    fn labels_are_configurations_or_splits_and_never_both_in_silence() {
        let card = "---\nconfigs:\n- config_name: de\n  default: true\n  data_files:\n  - split: train\n    path: x.csv\n  - \
                    split: en\n    path: y.csv\n- config_name: en\n  data_files: z.csv\n---\n";
        let (files, configurations) =
            (files(&["x.csv", "y.csv", "z.csv"]), read_card("a/b", "README.md", card).unwrap());
        let splits = |name| shown(&select(&named(name), &files, &configurations).unwrap().splits);
        let error = |name| select(&named(name), &files, &configurations).unwrap_err().to_string();
        assert_eq!(splits("a/b"), ["train=x.csv", "en=y.csv"]);
        assert_eq!(splits("a/b:de"), ["train=x.csv", "en=y.csv"]);
        assert_eq!(splits("a/b:train"), ["train=x.csv"]);
        assert_eq!(splits("a/b:en:"), ["train=z.csv"]);
        assert_eq!(splits("a/b:de:en"), ["en=y.csv"]);
        let both = "'en' is a configuration of the data set 'a/b' and a split of another; write a/b:en: for the \
                    configuration or a/b:de:en for the split";
        assert_eq!(error("a/b:en"), both);
        let known = "the data set 'a/b' has no configuration or split 'fr'; it has the configurations de, en";
        assert_eq!(error("a/b:fr"), format!("{known} and the splits train, en"));
        assert_eq!(error("a/b:fr:train"), known);
        let none = read_card("a/b", "README.md", &card.replace("  default: true\n", "")).unwrap();
        let error = select(&named("a/b"), &files, &none).unwrap_err().to_string();
        let several = "the data set 'a/b' has the configurations de, en, and none is the default one; name one, such as \
                       a/b:de";
        assert_eq!(error, several);
        let error = select(&named("a/b:dev"), &super::tests::files(&["train.csv"]), &[]).unwrap_err().to_string();
        assert_eq!(error, "the data set 'a/b' has no configuration or split 'dev'; it has the splits train");
    }

    #[test]
    fn paths_are_a_file_a_folder_or_a_pattern() {
        let files = files(&["d/train_10.json", "d/train_2.json", "d/test.json", "odd.xyz", "d/n.csv", "d/s/x.parquet"]);
        let at = |path: &str| select(&named(&format!("hf://datasets/a/b/{path}")), &files, &[]);
        assert_eq!(shown(&at("odd.xyz").unwrap().splits), ["train=odd.xyz"]);
        assert_eq!(shown(&at("d").unwrap().splits), ["train=d/train_2.json,d/train_10.json", "test=d/test.json"]);
        let all = at("d/*").unwrap();
        assert_eq!(shown(&all.splits), ["train=d/test.json,d/train_2.json,d/train_10.json"]);
        assert_eq!(all.left_out, ["d/n.csv"]);
        let error = at("d/x.json").unwrap_err().to_string();
        assert_eq!(error, "the data set 'a/b' has no data files like 'd/x.json'; name some that it has");
        assert!(matches!(at("*.xyz"), Err(DataSetError::NoFiles { .. })));
        // What no word stands for is not passed over in silence.
        let left_out = |names: &[&str]| select(&named("a/b"), &super::tests::files(names), &[]).unwrap().left_out;
        assert_eq!(left_out(&["test.csv", "Train.csv", "sub/.x.csv", "README.md"]), ["Train.csv"]);
        let shard = "data/train-00000-of-00001.parquet";
        assert_eq!(left_out(&[shard, "data/x.parquet", "y.csv"]), ["data/x.parquet", "y.csv"]);
    }

    #[test]
    fn what_would_be_read_otherwise_or_not_at_all_is_refused() {
        let card = |more: &str| format!("---\nconfigs:\n- config_name: c\n  {more}\n---\n");
        let error = |more: &str| {
            let configurations = read_card("a/b", "README.md", &card(more)).unwrap();
            select(&named("a/b"), &files(&["x.csv"]), &configurations).unwrap_err().to_string()
        };
        for (more, words) in [
            ("column_names: [a, b]", "is to be read with 'column_names', as its README.md says"),
            ("sep: \"|\"", "is to be read with 'sep'"),
            ("data_files: y.csv", "has no data files like 'y.csv', which its README.md names;"),
            ("data_files: y*", "has no data files like 'y*', which its README.md names;"),
            ("data_dir: y", "has no JSON, JSON Lines, CSV, TSV or Parquet files in y, compressed"),
        ] {
            assert!(error(more).contains(words), "{}", error(more));
        }
        let comma = read_card("a/b", "README.md", &card("sep: \",\"")).unwrap();
        assert!(select(&named("a/b"), &files(&["x.csv"]), &comma).is_ok());
        let error = select(&named("a/b"), &files(&["a.png", "README.md"]), &[]).unwrap_err();
        assert!(matches!(error, DataSetError::NoFiles { .. }));
    }

    #[test]
    fn a_conversion_has_its_configurations_and_splits_in_its_folders() {
        let names =
            ["b/test/0000.parquet", "b/train/0001.parquet", "b/train/0000.parquet", "c/partial-train/0000.parquet"];
        let configurations = configurations_of_conversion(&files(&names));
        let splits = |name| select(&named(name), &files(&names), &configurations).map(|found| shown(&found.splits));
        let expected = ["train=b/train/0000.parquet,b/train/0001.parquet", "test=b/test/0000.parquet"];
        assert_eq!(splits("a/b:b").unwrap(), expected);
        let error = splits("a/b:c").unwrap_err().to_string();
        assert!(error.contains("converted only the beginning of 'train'"), "{error}");
        assert!(error.contains("hf://datasets/a/b@refs/convert/parquet/c/partial-train if"), "{error}");
    }
}
