use gptune_model::Gpt2;
use gptune_run::Event;

use crate::{TrainError, TrainState};

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

    /// Stores the state of the run, so that it can be gone on with: what was stored before is not needed any more. The
    /// default stores nothing.
    ///
    /// # Errors
    ///
    /// As [`Observer::event`]. Whoever can do without, such as on a full disk, says so and goes on.
    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        let _ = state;
        Ok(())
    }
}
