/// Why the files of a data set cannot be told, or not be read.
///
/// Every message is one sentence that names the data set and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataSetError {
    /// What has the form of a data set's name and is none.
    #[error(
        "'{name}' names no data set: {problem}; write OWNER/NAME, OWNER/NAME@REVISION, OWNER/NAME:SPLIT, \
         OWNER/NAME:CONFIGURATION:SPLIT or hf://datasets/OWNER/NAME/FILE"
    )]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is made by a program.
    #[error(
        "the data set '{repository}' is made by a program, {script}, which is not run, and the Hub has no conversion of it; \
         name a data set of files, or files of this one as hf://datasets/{repository}/FILE"
    )]
    Script {
        /// The repository.
        repository: String,
        /// The program.
        script: String,
    },
    /// None of its files is one.
    #[error(
        "the data set '{repository}' has no JSON, JSON Lines, CSV, TSV or Parquet files{place}, compressed with gzip or \
         zstd or not; name another data set"
    )]
    NoFiles {
        /// The repository.
        repository: String,
        /// Where they were looked for, after a space; or empty.
        place: String,
    },
    /// Files that were named, here or in its description, are not there.
    #[error("the data set '{repository}' has no data files like '{pattern}'{place}; name some that it has")]
    NoMatch {
        /// The repository.
        repository: String,
        /// The name or pattern.
        pattern: String,
        /// Who named it, after a comma; or empty.
        place: String,
    },
    /// No configuration and no split has the name.
    #[error("the data set '{repository}' has no configuration or split '{label}'; it has {known}")]
    NoLabel {
        /// The repository.
        repository: String,
        /// What was given.
        label: String,
        /// What there is.
        known: String,
    },
    /// A configuration and a split have the name.
    #[error(
        "'{label}' is a configuration of the data set '{repository}' and a split of another; write {repository}:{label}: for \
         the configuration or {repository}:{default}:{label} for the split"
    )]
    Ambiguous {
        /// The repository.
        repository: String,
        /// What was given.
        label: String,
        /// The default configuration.
        default: String,
    },
    /// There are several configurations and no default.
    #[error(
        "the data set '{repository}' has the configurations {known}, and none is the default one; name one, such as \
         {repository}:{first}"
    )]
    NoDefault {
        /// The repository.
        repository: String,
        /// The first configuration.
        first: String,
        /// All of them.
        known: String,
    },
    /// Its description cannot be read.
    #[error(
        "cannot tell which files the data set '{repository}' has: {file}, line {line}: {problem}; name the files as \
         hf://datasets/{repository}/FILE"
    )]
    Card {
        /// The repository.
        repository: String,
        /// The description.
        file: String,
        /// The line in it, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// Its description tells how the files are to be read, in a way that nobody here knows.
    #[error(
        "the data set '{repository}' is to be read with '{key}', as its {file} says, which is not known here; name the \
         files as hf://datasets/{repository}/FILE to read them without"
    )]
    Key {
        /// The repository.
        repository: String,
        /// The description.
        file: String,
        /// The key.
        key: String,
    },
    /// The Hub converted a part of it only.
    #[error(
        "the data set '{repository}' has no files that can be read, and the Hub has converted only the beginning of \
         '{split}'; name that as hf://datasets/{repository}@refs/convert/parquet/{folder} if it will do"
    )]
    Partial {
        /// The repository.
        repository: String,
        /// The split.
        split: String,
        /// The folder of its files.
        folder: String,
    },
}
