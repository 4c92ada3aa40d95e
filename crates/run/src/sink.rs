use crate::{Event, RunError, RunFolder};

/// Somebody who is told what happens in a run.
pub trait Sink {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// [`RunError`] ends the run.
    fn event(&mut self, event: &Event) -> Result<(), RunError>;
}

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
