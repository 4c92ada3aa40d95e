//! What tells runs from each other: a letter, a colour, a pattern of dashes and a mark, so that no one of them is
//! needed alone.

use maud::{Markup, html};

use crate::html::text::Shown;

/// Around the middle, about ten pixels across.
const MARKS: [&str; 6] = [
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z",
    "M-4-4H4V4H-4Z",
    "M0-5.5 5.25 4H-5.25Z",
    "M0-6 5.5 0 0 6-5.5 0Z",
    "M0 5.5-5.25-4H5.25Z",
    "M-2-5.5H2V-2H5.5V2H2V5.5H-2V2H-5.5V-2H-2Z",
];

/// The look of the run of this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look(pub usize);

impl Look {
    /// A to Z, then AA to AZ, BA and so on.
    pub(super) fn letter(self) -> String {
        let mut letters = Vec::new();
        let mut rest = self.0 + 1;
        while rest > 0 {
            rest -= 1;
            letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest % 26]));
            rest /= 26;
        }
        letters.iter().rev().collect()
    }

    /// The classes of its colour and its dashes. After all colours the dashes move on, and marks are empty.
    pub(super) fn class(self) -> String {
        let Self(place) = self;
        let empty = if place / MARKS.len() % 2 == 1 { " empty" } else { "" };
        format!("colour-{} dash-{}{empty}", place % MARKS.len(), (place + place / MARKS.len()) % MARKS.len())
    }

    /// Its mark around a place in percentages.
    pub(super) fn mark(self, (x, y): (&str, &str), title: Option<&str>) -> Markup {
        html! {
            svg.spot x=(x) y=(y) {
                path class={ "spot-mark " (self.class()) } d=(MARKS[self.0 % MARKS.len()]) {
                    @if let Some(title) = title { title { (Shown(title)) } }
                }
            }
        }
    }

    /// A piece of its line with its mark, and its letter.
    pub(super) fn key(self) -> Markup {
        html! {
            span.run-key {
                svg.sample.curve aria-hidden="true" {
                    line class={ "line " (self.class()) } x1="0" y1="50%" x2="100%" y2="50%" {}
                    (self.mark(("50%", "50%"), None))
                }
                b class={ "letter " (self.class()) } { (self.letter()) }
            }
        }
    }

    /// The same with the run's name.
    pub(super) fn named(self, name: &str) -> Markup {
        html! { span.run-named { (self.key()) " " span.run-name dir="auto" { (Shown(name)) } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_look_alike() {
        let looks: std::collections::BTreeSet<_> = (0..36).map(|place| Look(place).class()).collect();
        assert_eq!(looks.len(), 36);
        assert_eq!([0, 11, 25, 26, 701, 702].map(|place| Look(place).letter()), ["A", "L", "Z", "AA", "ZZ", "AAA"]);
    }
}
