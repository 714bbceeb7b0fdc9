//! Tables, which Discord does not show, as code or as lists.
//!
//! Source: OpenClaw, "Discord", `markdown.tables`; GitHub Flavored Markdown, "Tables". Tables in
//! code, in quotes and in lists stay as they are, and so does one with rows that are longer than its
//! head, or one that would become many times as long.

use std::{iter, ops::Range};

use clawvoice_config::MarkdownTables;
use pulldown_cmark::{Alignment, Event, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr as _;

use super::code::Code;

/// Columns to which a cell is filled at most, so that one long cell does not widen all others.
const MAX_FILL: usize = 60;
/// A table may become so many times as long.
const MAX_GROWTH: usize = 8;
/// And short ones longer than that, in bytes.
const MAX_SMALL: usize = 4000;

/// A text without tables.
pub(crate) fn convert(text: &str, mode: MarkdownTables) -> String {
    if mode == MarkdownTables::Off || !text.lines().any(may_be_rule) {
        return text.to_owned();
    }
    let mut converted = String::with_capacity(text.len());
    let mut copied = 0;
    for table in tables(text) {
        let Some(written) = table.written(mode) else { continue };
        converted.push_str(text.get(copied..table.range.start).unwrap_or_default());
        converted.push_str(&written);
        converted.push('\n');
        copied = table.range.end;
    }
    converted.push_str(text.get(copied..).unwrap_or_default());
    converted
}

/// Whether a line may be the one below a table's head.
fn may_be_rule(line: &str) -> bool {
    line.contains('-') && line.chars().all(|c| c.is_whitespace() || matches!(c, '|' | ':' | '-'))
}

#[derive(Debug, Default)]
struct Table {
    range: Range<usize>,
    alignments: Vec<Alignment>,
    /// The first is the head.
    rows: Vec<Vec<Cell>>,
    /// A row has more cells than the head. What is in them would be lost.
    has_more_cells: bool,
}

#[derive(Debug, Default)]
struct Cell {
    /// Without emphasis, as it is read in a block of code.
    plain: String,
    /// As it was written.
    source: String,
}

/// The tables that are in nothing else.
fn tables(text: &str) -> Vec<Table> {
    let code = Code::of(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut events = Parser::new_ext(text, options).into_offset_iter();
    let mut tables = Vec::new();
    let mut depth = 0usize;
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(Tag::Table(alignments)) if depth == 0 => {
                let is_code = code.covers(range.start);
                let table =
                    read(text, &mut events, Table { range, alignments, ..Table::default() });
                tables.extend(Some(table).filter(|_| !is_code));
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tables
}

/// The rows of a table, up to its end. A line without a `|` is none: it follows the table.
fn read<'t>(
    text: &'t str,
    events: &mut impl Iterator<Item = (Event<'t>, Range<usize>)>,
    mut table: Table,
) -> Table {
    let mut link = None;
    let mut is_over = false;
    for (event, range) in events {
        let source = text.get(range.clone()).unwrap_or_default();
        match event {
            Event::End(TagEnd::Table) => break,
            Event::Start(Tag::TableRow) if !is_over && !source.contains('|') => {
                is_over = true;
                table.range.end = range.start;
            }
            _ if is_over => {}
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                table.has_more_cells |= cells_in(source) > table.alignments.len();
                table.rows.push(Vec::new());
            }
            Event::Start(Tag::TableCell) => {
                let source = source.trim().replace("\\|", "|");
                if let Some(row) = table.rows.last_mut() {
                    row.push(Cell { plain: String::new(), source });
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => link = Some(dest_url),
            Event::End(TagEnd::Link) => {
                if let (Some(url), Some(cell)) = (link.take(), table.cell()) {
                    cell.add_url(&url);
                }
            }
            Event::Text(part) | Event::Code(part) => table.add(&part),
            Event::InlineHtml(tag) if tag.starts_with("<br") => table.add(" "),
            Event::InlineHtml(tag) => table.add(&tag),
            _ => {}
        }
    }
    table
}

/// Cells of a row as it is written.
fn cells_in(row: &str) -> usize {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').filter(|row| !row.ends_with('\\')).unwrap_or(row);
    let before = iter::once(None).chain(row.chars().map(Some));
    let bars = before.zip(row.chars()).filter(|(before, c)| *c == '|' && *before != Some('\\'));
    bars.count() + 1
}

impl Cell {
    fn add_url(&mut self, url: &str) {
        if !self.plain.ends_with(url) {
            self.plain.push_str(&format!(" ({url})"));
        }
    }
}

impl Table {
    fn cell(&mut self) -> Option<&mut Cell> {
        self.rows.last_mut()?.last_mut()
    }

    fn add(&mut self, part: &str) {
        if let Some(cell) = self.cell() {
            cell.plain.push_str(part);
        }
    }

    /// `None`: it stays as it is.
    fn written(&self, mode: MarkdownTables) -> Option<String> {
        if self.has_more_cells {
            return None;
        }
        let cells = || self.rows.iter().flatten();
        // Three backticks in a cell would end the block.
        if mode == MarkdownTables::Code && !cells().any(|cell| cell.plain.contains("```")) {
            let widths = self.widths();
            let len = widths.iter().map(|width| width + 3).sum::<usize>() * (self.rows.len() + 1);
            return (len <= MAX_SMALL.max(self.range.len() * MAX_GROWTH))
                .then(|| self.code(&widths));
        }
        let head: usize = self.rows.first()?.iter().map(|cell| cell.source.len() + 8).sum();
        let len = head * self.rows.len();
        (len <= MAX_SMALL.max(self.range.len() * MAX_GROWTH)).then(|| self.bullets())
    }

    /// Of each column, at least the three of the line below the head.
    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![3; self.alignments.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.plain.trim().width().min(MAX_FILL));
            }
        }
        widths
    }

    fn code(&self, widths: &[usize]) -> String {
        let mut lines = vec!["```".to_owned()];
        for (number, row) in self.rows.iter().enumerate() {
            let cells = widths.iter().zip(&self.alignments).enumerate();
            let cells = cells.map(|(column, (width, alignment))| {
                filled(row.get(column).map_or("", |cell| cell.plain.trim()), *width, *alignment)
            });
            lines.push(format!("| {} |", cells.collect::<Vec<_>>().join(" | ")));
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                lines.push(format!("| {} |", rules.join(" | ")));
            }
        }
        lines.push("```".to_owned());
        lines.join("\n")
    }

    /// Each row by its first cell, and what the others say under their heads.
    fn bullets(&self) -> String {
        let Some((head, rows)) = self.rows.split_first() else { return String::new() };
        let blocks: Vec<String> = rows
            .iter()
            .map(|row| {
                let title = row.first().map_or("", |cell| cell.source.as_str());
                let mut lines = Vec::new();
                let titled = head.len() > 1;
                if titled && !title.is_empty() {
                    lines.push(if title.contains("**") {
                        title.to_owned()
                    } else {
                        format!("**{title}**")
                    });
                }
                let cells = head.iter().zip(row).skip(usize::from(titled));
                let cells = cells.filter(|(_, cell)| !cell.source.is_empty());
                lines.extend(cells.map(|(head, cell)| match head.source.as_str() {
                    "" => format!("• {}", cell.source),
                    head => format!("• {head}: {}", cell.source),
                }));
                lines.join("\n")
            })
            .filter(|block| !block.is_empty())
            .collect();
        if blocks.is_empty() {
            let heads: Vec<&str> = head.iter().map(|cell| cell.source.as_str()).collect();
            return format!("**{}**", heads.join(" · "));
        }
        blocks.join("\n\n")
    }
}

fn filled(text: &str, width: usize, alignment: Alignment) -> String {
    let missing = width.saturating_sub(text.width());
    let left = match alignment {
        Alignment::None | Alignment::Left => 0,
        Alignment::Center => missing / 2,
        Alignment::Right => missing,
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str =
        "Before\n| Name | Wert |\n|:--|--:|\n| **Ada** | `1` |\n| 日本 | 22 |\nAfter";

    #[test]
    fn as_code_the_columns_line_up_by_what_is_seen() {
        let expected = "Before\n```\n| Name | Wert |\n| ---- | ---- |\n| Ada  |    1 |\n\
                        | 日本 |   22 |\n```\nAfter";
        assert_eq!(convert(TABLE, MarkdownTables::Code), expected);
    }

    #[test]
    fn as_bullets_each_row_is_a_list() {
        let expected = "Before\n**Ada**\n• Wert: `1`\n\n**日本**\n• Wert: 22\nAfter";
        assert_eq!(convert(TABLE, MarkdownTables::Bullets), expected);
        let single = "| a |\n|---|\n| 1 |\n|  |\n| 2 |\n";
        assert_eq!(convert(single, MarkdownTables::Bullets), "• a: 1\n\n• a: 2\n");
        let empty = "| a | b |\n|---|---|\n";
        assert_eq!(convert(empty, MarkdownTables::Bullets), "**a · b**\n");
        let unnamed = "|  |  |\n|---|---|\n| x | 5 |\n";
        assert_eq!(convert(unnamed, MarkdownTables::Bullets), "**x**\n• 5\n");
    }

    #[test]
    fn cells_of_every_kind() {
        let table = "a | b\n-|-\n[x](https://y.z) | p\\|q<br>r\n1";
        let expected = "```\n| a               | b     |\n| --------------- | ----- |\n\
                        | x (https://y.z) | p|q r |\n```\n1";
        assert_eq!(convert(table, MarkdownTables::Code), expected);
    }

    #[test]
    fn what_is_no_table_or_cannot_be_one_stays() {
        for text in [
            "```\n| a | b |\n|---|---|\n| 1 | 2 |\n```",
            "> | a | b |\n> |---|---|\n> | 1 | 2 |",
            "a | b\nc | d",
            "| a |\n|---|\n| 1 | lost |",
            "no table",
        ] {
            assert_eq!(convert(text, MarkdownTables::Code), text);
        }
        assert_eq!(convert(TABLE, MarkdownTables::Off), TABLE);
        let fenced = "| a |\n|---|\n| ```` ``` ```` |\n";
        assert_eq!(convert(fenced, MarkdownTables::Code), "• a: ```` ``` ````\n");
        let wide = format!("|{}\n|{}\n{}", "a|".repeat(400), "-|".repeat(400), "|x|\n".repeat(400));
        assert!(convert(&wide, MarkdownTables::Code).len() <= wide.len() * (MAX_GROWTH + 1));
    }

    proptest! {
        #[test]
        fn it_grows_within_bounds(text in "([|`a: \n-]|---|\\|\n|日){0,300}") {
            for mode in [MarkdownTables::Code, MarkdownTables::Bullets] {
                let converted = convert(&text, mode);
                prop_assert!(converted.len() <= text.len() * 20 + 2 * MAX_SMALL);
            }
        }
    }
}
