//! Runs side by side.

mod curves;
mod labels;
mod look;
mod plot;
mod results;
mod settings;
mod table;
mod words;

use maud::{Markup, html};

use super::{frame::Frame, number, text::Shown};
use crate::{
    comparison::{ComparedRun, RunComparison},
    facts::Facts,
};
use look::Look;

/// A run with its place among the others.
struct Run<'a> {
    look: Look,
    compared: &'a ComparedRun,
    facts: Facts<'a>,
}

pub(crate) fn page(comparison: &RunComparison) -> String {
    let runs = comparison.runs.iter().enumerate();
    let runs: Vec<Run<'_>> = runs
        .map(|(place, compared)| Run { look: Look(place), compared, facts: Facts::from_events(&compared.events) })
        .collect();
    let best = !comparison.incomparable;
    let frame = Frame {
        sort: "gptune comparison",
        heading: &format!("{} compared", number::counted(runs.len(), "run")),
        about: html! {},
        version: &comparison.version,
        style: include_str!("style.css"),
        opening: opening(&comparison.notes, &runs),
        sections: vec![
            ("Validation loss", "validation", curves::validation(&runs, best)),
            ("Training loss", "training", curves::training(&runs)),
            ("Results", "results", results::results(&runs, best)),
            ("Scores", "scores", results::scores(&runs, &comparison.scoring, best)),
            ("Settings", "settings", settings::settings(&runs, &comparison.settings)),
        ],
    };
    frame.to_html()
}

/// What is to be known first, and which run is which.
fn opening(notes: &[String], runs: &[Run<'_>]) -> Markup {
    html! {
        section #summary aria-label="Runs" {
            @for note in notes { p.warning dir="auto" { (Shown(note)) } }
            @if runs.is_empty() { p { "There is no run to compare." } }
            ul.runs {
                @for run in runs {
                    li { (run.look.named(&run.compared.name)) }
                }
            }
        }
    }
}
