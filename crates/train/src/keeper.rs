use gptune_model::Gpt2;
use gptune_run::Best;

use crate::{TrainError, TrainState};

/// Keeps what a run leaves along its way: models worth keeping, and states to go on from.
///
/// What happens is told to a [`Sink`](gptune_run::Sink).
pub trait Keeper {
    /// Keeps a model: the starting one, that of every finished epoch, and the last one. Each
    /// replaces the one before. `steps` counts the updates it has seen.
    ///
    /// # Errors
    ///
    /// [`TrainError::Keeper`] or [`TrainError::Run`] ends the run.
    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError>;

    /// Keeps the model of the lowest validation loss so far, if that is asked for. The default keeps none.
    ///
    /// # Errors
    ///
    /// As [`Keeper::keep`].
    fn keep_best(&mut self, model: &Gpt2, best: Best) -> Result<(), TrainError> {
        let _ = (model, best);
        Ok(())
    }

    /// Stores the state of the run, so that it can be gone on with: what was stored before is not needed any more. The
    /// default stores nothing.
    ///
    /// # Errors
    ///
    /// As [`Keeper::keep`]. Whoever can do without, such as on a full disk, says so and goes on.
    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        let _ = state;
        Ok(())
    }
}

/// Keeps nothing.
impl Keeper for () {
    fn keep(&mut self, _: &Gpt2, _: usize) -> Result<(), TrainError> {
        Ok(())
    }
}
