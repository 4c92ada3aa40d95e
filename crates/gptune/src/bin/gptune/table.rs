//! Tables on a terminal.

use anyhow::Result;

use crate::console::print_line;

/// A name, and a cell for each column.
pub(crate) type Row = Vec<String>;

/// Prints rows, whose first names the columns, as wide as they have to be; where the terminal is narrower, each cell on
/// a line of its own.
pub(crate) fn print_table(rows: &[Row]) -> Result<()> {
    let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    layout(rows, columns.unwrap_or(usize::MAX)).into_iter().try_for_each(print_line)
}

/// Rows with text to the left and numbers to the right, or below each other if that is wider than `most` characters.
pub(crate) fn layout(rows: &[Row], most: usize) -> Vec<String> {
    let Some((names, others)) = rows.split_first() else { return Vec::new() };
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    if widths.iter().map(|width| width + 2).sum::<usize>() <= most.saturating_add(2) {
        let is_number = |cell: &String| cell.is_empty() || cell.starts_with(|c: char| !c.is_alphabetic());
        let numbers: Vec<bool> =
            (0..names.len()).map(|column| column > 0 && others.iter().all(|row| is_number(&row[column]))).collect();
        let line = |row: &Row| {
            let cells = row.iter().zip(&widths).zip(&numbers);
            let cell = |((cell, &width), &number): ((&String, &usize), &bool)| {
                if number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            };
            cells.map(cell).collect::<Vec<_>>().join("  ")
        };
        return rows.iter().map(|row| line(row).trim_end().to_owned()).collect();
    }
    let longest = names.iter().skip(1).map(|name| name.chars().count()).max().unwrap_or(0);
    let block = |row: &Row| {
        let cells = names.iter().zip(row).skip(1).map(|(name, cell)| format!("  {name:longest$}  {cell}"));
        row.first().cloned().into_iter().chain(cells).collect::<Vec<_>>()
    };
    others.iter().flat_map(block).collect()
}
