//! The table of results: medians of rounds, with the least and the most, as ratios to nginx.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::measures::Sample;

/// What the rounds gave, by measure and figure, then by proxy.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// One figure of one measure.
#[derive(Debug)]
struct Row {
    measure: String,
    figure: &'static str,
    /// Of each round, by proxy.
    values: BTreeMap<String, Vec<f64>>,
}

impl Table {
    /// Notes one round.
    pub fn note(&mut self, measure: &str, proxy: &str, sample: Sample) {
        for (figure, value) in sample {
            let known = |row: &Row| row.measure == measure && row.figure == figure;
            let at = self.rows.iter().position(known).unwrap_or_else(|| {
                self.rows.push(Row { measure: measure.to_owned(), figure, values: BTreeMap::new() });
                self.rows.len() - 1
            });
            self.rows[at].values.entry(proxy.to_owned()).or_default().push(value);
        }
    }

    /// As Markdown, a column for each of `proxies` and one for the ratio of each to nginx.
    pub fn markdown(&self, proxies: &[String]) -> String {
        let measured: Vec<_> = proxies.iter().filter(|name| *name != "nginx" && *name != "direct").collect();
        let mut text = String::from("| measure | figure |");
        let mut line = String::from("|---|---|");
        for name in proxies {
            let _ = write!(text, " {name} |");
            line += "---|";
        }
        for name in &measured {
            let _ = write!(text, " {name} / nginx |");
            line += "---|";
        }
        let mut text = format!("{text}\n{line}\n");
        for Row { measure, figure, values } in &self.rows {
            if *figure == "failures" && values.values().flatten().all(|failures| *failures == 0.0) {
                continue;
            }
            let _ = write!(text, "| {measure} | {figure} |");
            for name in proxies {
                let _ = write!(text, " {} |", values.get(name).map_or_else(String::new, |of| spread(of)));
            }
            for name in &measured {
                let _ = write!(text, " {} |", ratio(values, name).unwrap_or_default());
            }
            text.push('\n');
        }
        text
    }
}

/// The median, and the least and the most if they are not the same.
fn spread(values: &[f64]) -> String {
    let (mut sorted, middle) = (values.to_vec(), median(values));
    sorted.sort_by(f64::total_cmp);
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(most)) if least < most => {
            format!("{} ({}-{})", short(middle), short(*least), short(*most))
        }
        _ => short(middle),
    }
}

/// The median of the rounds' own ratios: what disturbs the machine disturbs both of a round.
fn ratio(values: &BTreeMap<String, Vec<f64>>, name: &str) -> Option<String> {
    let (ours, theirs) = (values.get(name)?, values.get("nginx")?);
    let ratios: Vec<_> = ours
        .iter()
        .zip(theirs)
        .filter(|(_, nginx)| **nginx > 0.0)
        .map(|(ours, nginx)| ours / nginx)
        .collect();
    (!ratios.is_empty()).then(|| format!("{:.2}", median(&ratios)))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
