use gptune_data::DataError;
use gptune_run::RunError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Something about the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A recipe that is not what it should be.
    #[error("{origin}, line {line}: {problem}; see assets/recipes for recipes with every key")]
    Recipe {
        /// The recipe's file.
        origin: String,
        /// Line of the fault, counting from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value that makes no run.
    #[error("the setting '{key}' cannot be used: {problem}")]
    Setting {
        /// The key in the recipe; the flag has dashes instead.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Something about the run's folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An observer failed.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
}
