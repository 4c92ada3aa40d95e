//! Who is told what goes on.

use gptune_run::Event;

/// Somebody who is told what goes on. Each method does nothing unless it is written.
pub trait Voice: Sync {
    /// A run begins to write: whoever ends the program on a signal should set the run's `stop` instead from here on.
    fn starting(&self) {}

    /// A line of the account of a run.
    fn say(&self, line: &str) {
        let _ = line;
    }

    /// Something beside the account that one should know.
    fn note(&self, line: &str) {
        let _ = line;
    }

    /// Something that happened in a run.
    fn event(&self, event: &Event) {
        let _ = event;
    }

    /// Something that takes a while begins; it is over when what is returned is dropped.
    fn progress(&self, work: Work<'_>) -> Box<dyn Progress> {
        let _ = work;
        Box::new(Silent)
    }
}

/// What takes a while.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// A number of things, named in the plural; 0 if it is not known yet.
    Things(u64, &'a str),
    /// Bytes of a file.
    Bytes(&'a str),
    /// Something that says nothing of how far it is.
    Unknown(&'a str),
}

/// Is told how far something is.
pub trait Progress: Send + Sync {
    /// This much more is done.
    fn advance(&self, by: u64) {
        let _ = by;
    }

    /// This much is done, of so much if that is known.
    fn set(&self, done: u64, of: Option<u64>) {
        let _ = (done, of);
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Voice for Silent {}

impl Progress for Silent {}
