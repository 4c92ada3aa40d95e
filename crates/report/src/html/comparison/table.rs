//! A table of the runs, a row for each, and a column for everything that was measured of some.

use maud::{Markup, html};

use super::Run;
use crate::html::{scrolling, text::Shown};

/// Something that was found of every run, or of some.
pub(super) struct Measure<'a> {
    pub name: &'a str,
    pub kind: Kind,
    /// In the order of the runs.
    pub cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A number that is no merit of a run.
    Fact,
    LowerIsBetter,
    HigherIsBetter,
}

#[derive(Debug, Default)]
pub(super) struct Cell {
    pub value: f64,
    pub shown: String,
    /// Below it.
    pub note: String,
}

/// The table, with the best values in bold if `best`.
pub(super) fn table(caption: &str, runs: &[Run<'_>], measures: &[Measure<'_>], best: bool) -> Markup {
    let measures: Vec<_> = measures.iter().filter(|measure| measure.cells.iter().any(Option::is_some)).collect();
    let bests: Vec<_> = measures.iter().map(|measure| measure.best().filter(|_| best)).collect();
    let table = html! {
        table.results aria-label=(caption) {
            thead {
                tr {
                    th scope="col" { "Run" }
                    @for measure in &measures { th.number[measure.kind != Kind::Text] scope="col" dir="auto" { (Shown(measure.name)) } }
                }
            }
            tbody {
                @for (index, run) in runs.iter().enumerate() {
                    tr {
                        th scope="row" { (run.look.named(&run.compared.name)) }
                        @for (measure, best) in measures.iter().zip(&bests) {
                            td.number[measure.kind != Kind::Text] { (cell(measure.cells[index].as_ref(), *best)) }
                        }
                    }
                }
            }
        }
    };
    // A caption would be as wide as the table, and out of sight where that scrolls.
    html! {
    p.table-note { (caption) @if bests.iter().any(Option::is_some) { " The best of each column is bold." } }
    (scrolling(caption, &table)) }
}

fn cell(cell: Option<&Cell>, best: Option<&str>) -> Markup {
    html! {
        @if let Some(cell) = cell {
            @if best == Some(&cell.shown) { strong { (Shown(&cell.shown)) } span.hidden { " (best)" } } @else { (Shown(&cell.shown)) }
            @if !cell.note.is_empty() { span.interval { (Shown(&cell.note)) } }
        } @else { span.nothing { "–" } }
    }
}

impl Measure<'_> {
    /// The best of the values as it is written, unless there is nothing that it is better than. What reads the same is
    /// as good.
    fn best(&self) -> Option<&str> {
        let finite = || self.cells.iter().flatten().filter(|cell| cell.value.is_finite());
        let best = match self.kind {
            Kind::LowerIsBetter => finite().min_by(|one, other| one.value.total_cmp(&other.value)),
            Kind::HigherIsBetter => finite().max_by(|one, other| one.value.total_cmp(&other.value)),
            Kind::Text | Kind::Fact => None,
        };
        let best = best?.shown.as_str();
        finite().any(|cell| cell.shown != best).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(kind: Kind, values: &[(f64, &str)]) -> Option<String> {
        let cell = |&(value, shown): &(f64, &str)| Some(Cell { value, shown: shown.to_owned(), ..Cell::default() });
        let cells = values.iter().map(cell).chain([None]).collect();
        Measure { name: "measure", kind, cells }.best().map(str::to_owned)
    }

    #[test]
    fn the_best_is_better_than_another_one() {
        let values =
            [(0.62, "0.620"), (f64::NAN, "not a number"), (0.61, "0.610"), (f64::NEG_INFINITY, "not a number")];
        assert_eq!(best(Kind::LowerIsBetter, &values).as_deref(), Some("0.610"));
        assert_eq!(best(Kind::HigherIsBetter, &values).as_deref(), Some("0.620"));
        assert_eq!(best(Kind::Fact, &values), None);
        assert_eq!(best(Kind::LowerIsBetter, &values[..2]), None, "there is one number");
        assert_eq!(best(Kind::LowerIsBetter, &[(0.6201, "0.620"), (0.6202, "0.620")]), None, "they read the same");
        assert_eq!(best(Kind::LowerIsBetter, &[]), None);
    }
}
