use gptune_data::DataError;
use gptune_run::RunError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Something about the data.
    #[error(transparent)]
    Data(#[from] DataError),
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
    /// What is to be kept could not be.
    #[error(transparent)]
    Keeper(Box<dyn std::error::Error + Send + Sync>),
}
