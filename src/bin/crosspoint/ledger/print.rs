//! Rows as text: a table for people, CSV for spreadsheets, JSON for programs.

use super::money::usd;
use super::sum::{Sums, Table};
use serde_json::{Map, Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people, with a last row of sums
    Table,
    /// For spreadsheets
    Csv,
    /// For programs; costs in whole pico-USD, too
    Json,
}

pub(super) fn table(table: &Table, format: Format) -> Result<String, String> {
    let mut head: Vec<String> = table.by.iter().map(|member| member.name().to_owned()).collect();
    head.extend(columns(&table.total).map(|(name, _)| name.to_owned()));
    let rows = table.rows.iter().map(|(names, sums)| {
        let numbers = columns(sums).map(|(_, text)| text);
        names.iter().cloned().chain(numbers).collect()
    });
    match format {
        Format::Table => {
            let mut rows: Vec<Vec<String>> = rows.collect();
            let mut last = vec![String::new(); table.by.len()];
            if let Some(first) = last.first_mut() {
                "total".clone_into(first);
            }
            last.extend(columns(&table.total).map(|(_, text)| text));
            rows.push(last);
            Ok(aligned(&head, &rows, table.by.len()))
        }
        Format::Csv => csv(&head, rows),
        Format::Json => {
            let rows: Vec<_> = table
                .rows
                .iter()
                .map(|(names, sums)| {
                    let mut row: Map<String, Value> = table
                        .by
                        .iter()
                        .zip(names)
                        .map(|(member, name)| (member.name().to_owned(), json!(name)))
                        .collect();
                    row.extend(members(sums));
                    row
                })
                .collect();
            pretty(&json!({"rows": rows, "total": members(&table.total)}))
        }
    }
}

/// The columns of numbers, with the cost before the words on exactness.
fn columns(sums: &Sums) -> impl Iterator<Item = (&'static str, String)> {
    let money = |pico: u128| usd(i128::try_from(pico).unwrap_or(i128::MAX));
    let costs = [
        ("cost_usd", money(sums.cost_pico_usd)),
        ("upstream_cost_usd", money(sums.upstream_cost_pico_usd)),
    ];
    let counts = sums.counts();
    let count = |(name, count): (&'static str, u128)| (name, count.to_string());
    let (tokens, exactness) = counts.split_at(6);
    let (tokens, exactness) = (tokens.to_vec(), exactness.to_vec());
    tokens
        .into_iter()
        .map(count)
        .chain(costs)
        .chain(exactness.into_iter().map(count))
}

/// Sums as members of an object.
fn members(sums: &Sums) -> Map<String, Value> {
    let mut members: Map<String, Value> = columns(sums)
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect();
    for (name, count) in sums.counts() {
        members.insert(name.to_owned(), number(count));
    }
    members.insert("cost_pico_usd".to_owned(), number(sums.cost_pico_usd));
    let upstream = number(sums.upstream_cost_pico_usd);
    members.insert("upstream_cost_pico_usd".to_owned(), upstream);
    members
}

/// A number in full where JSON's readers keep it, else its digits.
fn number(value: u128) -> Value {
    u64::try_from(value).map_or_else(|_| json!(value.to_string()), |value| json!(value))
}

pub(super) fn pretty(value: &Value) -> Result<String, String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

pub(super) fn csv(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = std::iter::once(head.to_vec())
        .chain(rows)
        .try_for_each(|row| writer.write_record(&row));
    written.map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// Columns under each other: the first `names` of them to the left, the others to the right.
pub(super) fn aligned(head: &[String], rows: &[Vec<String>], names: usize) -> String {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let widths: Vec<usize> = (0..head.len())
        .map(|at| {
            all()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| {
                if at < names {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
