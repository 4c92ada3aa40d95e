use crate::{Event, RunError, RunFolder};

/// Somebody who is told what happens in a run.
pub trait Sink {
    /// Takes note of an event. Events come in the order in which they happen.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`] if it could not be written; the run ends.
    fn event(&mut self, event: &Event) -> Result<(), RunError>;
}

/// Its `metrics.jsonl`.
impl Sink for RunFolder {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.append(event)
    }
}

/// Remembers all.
impl Sink for Vec<Event> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.push(event.clone());
        Ok(())
    }
}
