//! Panics of the Parquet reader, as the errors that they are.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use parquet::errors::{ParquetError, Result as Read};

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// What the reader gives, or a clause that says what is wrong. It asserts what files should be like, so that a damaged one
/// makes it panic; what it was reading is not used after that.
pub(super) fn quietly<T>(read: impl FnOnce() -> Read<T>) -> Result<T, String> {
    static ONCE: Once = Once::new();
    // The panics of others are told as before.
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !READING.get() {
                before(panic);
            }
        }));
    });
    READING.set(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    READING.set(false);
    match result {
        Ok(result) => result.map_err(|error| clause(&error)),
        Err(_) => Err(String::new()),
    }
}

fn clause(error: &ParquetError) -> String {
    let text = error.to_string();
    if text.contains("as String") {
        return ", because a text is not UTF-8".to_owned();
    }
    if text.contains("Disabled feature") || text.contains("not supported") {
        return ", because of its compression: what is read is none, Snappy, gzip and zstd".to_owned();
    }
    // Some print what they read.
    let short: String = text.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!(" ({short})")
}
