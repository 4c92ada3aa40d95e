use gptune_model::Gpt2;
use gptune_run::Event;

use crate::TrainError;

/// Somebody who wants to know, and who keeps models worth keeping.
pub trait Observer {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// [`TrainError::Observer`] or [`TrainError::Run`] ends the run.
    fn event(&mut self, event: &Event) -> Result<(), TrainError>;

    /// Keeps a model: the starting one, that of every finished epoch, and the last one. Each
    /// replaces the one before. `steps` counts the updates it has seen.
    ///
    /// # Errors
    ///
    /// As [`Observer::event`].
    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError>;
}
