//! Numbers on the command line: what is out of range is wrong usage.

/// A whole number from 1 up.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("it has to be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it has to be a whole number from 1 up".to_owned()),
    }
}

/// Tokens of a sequence: one to see and one to predict.
pub(super) fn length(text: &str) -> Result<usize, String> {
    let length = text.parse::<usize>().ok().filter(|&length| length >= 2);
    length.ok_or_else(|| "it has to be a whole number from 2 up".to_owned())
}

/// A finite number that fits a test.
fn number(text: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && fits(*number));
    number.ok_or_else(|| format!("it has to be {wanted}"))
}

/// A number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0, "a number above 0")
}

/// A number from 0 up.
pub(super) fn from_0(text: &str) -> Result<f64, String> {
    number(text, |number| number >= 0.0, "a number from 0 up")
}

/// A number from 0 to below 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |number| (0.0..1.0).contains(&number), "a number from 0 to below 1")
}

/// A number above 0 and at most 1.
pub(super) fn similarity(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0 && number <= 1.0, "a number above 0 and at most 1")
}

/// The name of a folder.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\']);
    is_name.then(|| text.to_owned()).ok_or_else(|| "it has to be the name of a folder, without slashes".to_owned())
}
