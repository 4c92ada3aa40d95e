//! How close answers are to the wanted ones.

use anyhow::Result;
use gptune::scores::{Other, ScoreReport, report};
use gptune_score::{Breakdown, Difference, Estimate, Group, Metrics, Responses};

use super::print_json;
use crate::{
    args::ScoreArgs,
    console::print_line,
    table::{Row, print_table},
};

pub(crate) fn run(args: &ScoreArgs) -> Result<()> {
    let responses = Responses::read(&args.responses)?;
    let other = args.against.as_deref().map(Responses::read).transpose()?;
    let report = report(responses, other)?;
    if args.json { print_json(&report) } else { tell(&report) }
}

fn tell(report: &ScoreReport) -> Result<()> {
    print_line(format_args!("{}, per cent with 95 % intervals", report.responses))?;
    print_table(&breakdown_table(&report.scores, estimate))?;
    if let Some(Other { against, difference }) = &report.other {
        print_line(format_args!("\n{}, per cent with 95 % intervals", against.responses))?;
        print_table(&breakdown_table(&against.scores, estimate))?;
        print_line(format_args!("\n{} less {}, points with 95 % intervals", report.responses, against.responses))?;
        print_table(&breakdown_table(difference, |difference| signed(&difference.estimate)))?;
        print_line("\nAnswer by answer")?;
        let line = |name: &str, cell: fn(&Difference) -> String| row(name, &difference.overall, cell);
        print_table(&[
            header(),
            line("better", |difference| difference.wins.to_string()),
            line("the same", |difference| difference.ties.to_string()),
            line("worse", |difference| difference.losses.to_string()),
            line("p, sign test", |difference| p_value(difference.p_value)),
        ])?;
    }
    Ok(())
}

fn header() -> Row {
    ["", "answers", "exact", "normalized", "token F1", "ROUGE-L"].map(str::to_owned).to_vec()
}

/// All answers, then the kinds by name.
fn breakdown_table<T>(breakdown: &Breakdown<T>, cell: fn(&T) -> String) -> Vec<Row> {
    let mut rows = vec![header(), row("all", &breakdown.overall, cell)];
    rows.extend(breakdown.kinds.iter().map(|(kind, group)| row(&shortened(kind), group, cell)));
    rows.extend(breakdown.without_kind.iter().map(|group| row("(no kind)", group, cell)));
    rows
}

fn row<T>(name: &str, group: &Group<T>, cell: fn(&T) -> String) -> Row {
    let Metrics { exact, normalized, token_f1, rouge_l } = &group.metrics;
    let [exact, normalized, token_f1, rouge_l] = [exact, normalized, token_f1, rouge_l].map(cell);
    vec![name.to_owned(), group.count.to_string(), exact, normalized, token_f1, rouge_l]
}

fn estimate(Estimate { mean, low, high }: &Estimate) -> String {
    format!("{:.1} ({:.1}–{:.1})", 100.0 * mean, 100.0 * low, 100.0 * high)
}

fn signed(Estimate { mean, low, high }: &Estimate) -> String {
    // Rounding makes -0.0 of what is a little below nothing.
    let [mean, low, high] = [mean, low, high].map(|value| (1000.0 * value).round() / 10.0 + 0.0);
    format!("{mean:+.1} ({low:+.1} to {high:+.1})")
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// At most 24 characters of a kind, none of which moves the cursor.
fn shortened(kind: &str) -> String {
    let kind: String = kind.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match kind.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &kind[..end]),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::layout;

    #[test]
    fn numbers_are_short_and_without_negative_zero() {
        assert_eq!(estimate(&Estimate { mean: 0.21875, low: 0.125, high: 1.0 }), "21.9 (12.5–100.0)");
        assert_eq!(signed(&Estimate { mean: -0.0001, low: -0.047, high: 0.109 }), "+0.0 (-4.7 to +10.9)");
        assert_eq!([p_value(0.5), p_value(1e-7), p_value(1.0)], ["0.5000", "< 0.0001", "1.0000"]);
    }

    #[test]
    fn a_narrow_terminal_gets_a_metric_a_line() {
        let rows = [header(), ["all", "110", "50.0 (40.8–59.2)", "75.0", "80.0", "81.5"].map(str::to_owned).to_vec()];
        let wide = layout(&rows, 200);
        assert_eq!(wide.len(), 2);
        let width = wide[0].chars().count();
        assert_eq!(layout(&rows, width), wide);
        let narrow = layout(&rows, width - 1);
        assert_eq!(
            (narrow.len(), narrow[0].as_str(), narrow[2].as_str()),
            (6, "all", "  exact       50.0 (40.8–59.2)")
        );
        assert!(narrow.iter().all(|line| line.chars().count() < 40));
    }

    #[test]
    fn kinds_stay_on_their_line() {
        assert_eq!(shortened("two\nlines\u{1b}"), "two lines ");
        assert_eq!(shortened(&"é".repeat(30)), format!("{}…", "é".repeat(24)));
    }
}
