//! Both engines on one core: `sigma-referee [--rules FOLDER] [--windows FILE] [--linux FILE] [--seconds N]`.
//!
//! A line of a file is a process start as a flat JSON object. Without files events are generated, without a folder the rules are the
//! default pack's. Counted is the thread's processor time, from the text of an event to what matched.

use std::path::PathBuf;
use std::process::ExitCode;

use rustix::time::{ClockId, clock_gettime};
use sg_detect::{Event, LogSource};
use sigma_referee::{Pair, events, for_log_source, own_rules, rules_in, to_theirs};

const WINDOWS: LogSource<'static> = LogSource {
    product: Some("windows"),
    category: Some("process_creation"),
    service: None,
};
/// Turns of each engine; the median counts.
const TURNS: usize = 5;

#[derive(Default)]
struct Arguments {
    rules: Option<PathBuf>,
    windows: Option<PathBuf>,
    linux: Option<PathBuf>,
    seconds: Option<f64>,
}

fn main() -> ExitCode {
    match read_arguments().and_then(|arguments| measure(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--rules" => arguments.rules = Some(value.into()),
            "--windows" => arguments.windows = Some(value.into()),
            "--linux" => arguments.linux = Some(value.into()),
            "--seconds" => {
                let seconds: f64 = value
                    .parse()
                    .map_err(|_| format!("--seconds {value} is no number"))?;
                arguments.seconds = Some(seconds);
            }
            other => {
                return Err(format!(
                    "known are --rules, --windows, --linux and --seconds, not {other}"
                ));
            }
        }
    }
    Ok(arguments)
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let sources = match &arguments.rules {
        Some(folder) => rules_in(folder).map_err(|e| format!("{}: {e}", folder.display()))?,
        None => own_rules(),
    };
    let seconds = arguments.seconds.unwrap_or(2.0);
    let generated = |events: Vec<serde_json::Value>| events.iter().map(ToString::to_string).collect();
    for (name, log_source, file, events) in [
        (
            "windows",
            WINDOWS,
            &arguments.windows,
            events::windows as fn(usize, u64) -> _,
        ),
        (
            "linux",
            LogSource::LINUX_PROCESS_CREATION,
            &arguments.linux,
            events::linux,
        ),
    ] {
        let rules = for_log_source(sources.clone(), log_source);
        if rules.is_empty() {
            println!("sigma-{name}: no rules for it; name a folder with --rules");
            continue;
        }
        let lines: Vec<String> = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
                text.lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
            None => generated(events(4_000, 7)),
        };
        compare(name, log_source, &Pair::new(&rules, true), &lines, seconds)?;
    }
    Ok(())
}

fn compare(
    name: &str,
    log_source: LogSource<'static>,
    pair: &Pair,
    lines: &[String],
    seconds: f64,
) -> Result<(), String> {
    let wanted = to_theirs(log_source);
    let ours = |line: &str| {
        let event = Event::from_json(line, log_source).map_err(|e| e.to_string())?;
        Ok(pair.ours.evaluate(&event).len())
    };
    let theirs = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let event = rsigma_eval::JsonEvent::borrow(&event);
        Ok(pair.theirs.evaluate_with_logsource(&event, &wanted).len())
    };
    // They are asked without a log source too, which is quicker where all rules are for the same.
    let theirs_any = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        Ok(pair
            .theirs
            .evaluate(&rsigma_eval::JsonEvent::borrow(&event))
            .len())
    };
    let ours_parsing = |line: &str| {
        let event = Event::from_json(line, log_source).map_err(|e| e.to_string())?;
        Ok(event.values().count())
    };
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut matched = [0_usize; 4];
    for _ in 0..TURNS {
        let engines: [&dyn Fn(&str) -> Result<usize, String>; 4] =
            [&ours, &theirs, &theirs_any, &ours_parsing];
        for (slot, engine) in engines.into_iter().enumerate() {
            let (rate, found) = rate(lines, seconds, engine)?;
            rates[slot].push(rate);
            matched[slot] = found;
        }
    }
    let [ours, theirs, theirs_any, parsing] = rates.map(median);
    let count = pair.ours.rules().len();
    println!(
        "sigma-{name}: {count} rules, {} events of {} bytes, {} matches by ours and {} by theirs",
        lines.len(),
        lines.iter().map(String::len).sum::<usize>() / lines.len(),
        matched[0],
        matched[1]
    );
    report(&format!("sigma-{name}"), ours, theirs.max(theirs_any));
    report(&format!("sigma-{name}-parsing-alone"), parsing, f64::NAN);
    Ok(())
}

/// Events per second of this thread's processor time, and the matches of one turn over the events.
fn rate(
    lines: &[String],
    seconds: f64,
    engine: &dyn Fn(&str) -> Result<usize, String>,
) -> Result<(f64, usize), String> {
    let (begun, mut rounds) = (processor_seconds(), 0_u32);
    let mut matched;
    loop {
        matched = 0;
        for line in lines {
            matched += engine(line)?;
        }
        rounds += 1;
        let spent = processor_seconds() - begun;
        if spent >= seconds {
            return Ok((f64::from(rounds) * lines.len() as f64 / spent, matched));
        }
    }
}

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn report(name: &str, ours: f64, theirs: f64) {
    let (ratio, theirs) = if theirs.is_nan() {
        ("-".to_owned(), "-".to_owned())
    } else {
        (format!("{:.2}", ours / theirs), format!("{theirs:.0}"))
    };
    println!("{name} ratio={ratio} ours={ours:.0} theirs={theirs} unit=events/s");
}
