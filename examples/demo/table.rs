//! The table at the end of the demo: a row a figure, a column a restart.

use std::time::Duration;

use rollctl::load::{Class, Tally};

use crate::measure::Measured;

const NAME_WIDTH: usize = 44;
const WIDTH: usize = 30;

/// Prints all figures of the restarts side by side.
pub(crate) fn print(restarts: &[&Measured], instances: u32) {
    let row = |name: &str, cell: &dyn Fn(&Measured) -> String| {
        let cells = restarts.iter().map(|restart| format!("{:>WIDTH$}", cell(restart)));
        println!("{name:<NAME_WIDTH$}{}", cells.collect::<String>());
    };
    println!();
    row("", &|restart| restart.name.to_owned());
    row("", &|restart| if restart.succeeded { "succeeded" } else { "FAILED" }.to_owned());
    row("time of the restart", &|restart| seconds(restart.took));
    row("time per instance", &|restart| match restart.at_a_time {
        at_a_time if at_a_time < instances => seconds(restart.took / instances),
        _ => "all at once".to_owned(),
    });
    row("requests before", &|restart| grouped(restart.report.phase("before").requests()));
    row("requests during", &|restart| grouped(restart.report.phase("during").requests()));
    row("lost, in all", &|restart| grouped(restart.report.lost()));
    for class in lost_classes(restarts) {
        let count = |restart: &Measured| grouped(restart.report.total().count(class));
        row(&format!("  {class}"), &count);
    }
    println!("p50 / p99 / max, without the slow requests");
    row("  before", &|restart| latencies(&restart.quick("before")));
    row("  during", &|restart| latencies(&restart.quick("during")));
}

/// The classes in which any restart lost something.
fn lost_classes(restarts: &[&Measured]) -> Vec<Class> {
    let lost = |class: &Class| restarts.iter().any(|r| r.report.total().count(*class) > 0);
    Class::ALL.into_iter().filter(|class| class.is_lost()).filter(lost).collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn latencies(tally: &Tally) -> String {
    let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    format!("{} / {} / {} ms", millis(tally.p50()), millis(tally.p99()), millis(tally.max()))
}

/// A number with a comma between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}
