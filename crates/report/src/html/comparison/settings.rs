//! What the runs were given: first what differs.

use maud::{Markup, html};

use super::Run;
use crate::html::{folded, number, scrolling, text::Shown};

/// More names than these would be crushed at the heads of columns; letters are there to name the runs.
const MANY: usize = 6;

type Setting = (String, Vec<Option<String>>);

/// Settings that differ and, folded away, those that do not; none where no settings are known.
pub(super) fn settings(runs: &[Run<'_>], settings: &[Setting]) -> Option<Markup> {
    let value = |(_, values): &Setting, run: usize| values.get(run).cloned().flatten();
    let (differing, shared): (Vec<_>, Vec<_>) =
        settings.iter().partition(|setting| (1..runs.len()).any(|run| value(setting, run) != value(setting, 0)));
    (!runs.is_empty()).then(|| {
        html! {
            @if !differing.is_empty() {
                (table(runs, &differing))
            } @else if runs.len() > 1 {
                p { "No setting differs between the runs." }
            }
            @if !shared.is_empty() {
                @let count = number::counted(shared.len(), "setting");
                @let title = if runs.len() > 1 { format!("{count} in common") } else { count };
                (folded(&title, runs.len() == 1, &common(&shared)))
            }
        }
    })
}

fn table(runs: &[Run<'_>], settings: &[&Setting]) -> Markup {
    let table = html! {
        table.results.settings.many[runs.len() > MANY] aria-label="Settings that differ" {
            thead {
                tr {
                    th scope="col" { "Setting" }
                    @for run in runs { th scope="col" { (run.look.named(&run.compared.name)) } }
                }
            }
            tbody {
                @for (name, values) in settings {
                    tr {
                        th scope="row" { (Shown(name)) }
                        @for index in 0..runs.len() {
                            td dir="auto" {
                                @if let Some(Some(value)) = values.get(index) { (Shown(value)) }
                                @else { span.nothing { "–" } }
                            }
                        }
                    }
                }
            }
        }
    };
    scrolling("Settings that differ", &table)
}

fn common(settings: &[&Setting]) -> Markup {
    html! {
        table.facts {
            tbody {
                @for (name, values) in settings {
                    tr {
                        th scope="row" { (Shown(name)) }
                        td dir="auto" {
                            @if let Some(Some(value)) = values.first() { (Shown(value)) }
                            @else { span.nothing { "–" } }
                        }
                    }
                }
            }
        }
    }
}
