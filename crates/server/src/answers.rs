//! What verbs answer.

use std::process::ExitCode;

use secrecy::ExposeSecret;
use sg_server::commands;
use sg_server::users::seed::Seeded;

use crate::print_line;

pub(crate) fn print_report(report: &sg_server::audit::verify::Report) -> ExitCode {
    for fault in &report.faults {
        print_line(&format!("FAULT {fault}"));
    }
    for note in &report.notes {
        print_line(&format!("note  {note}"));
    }
    for (tenant_id, (position, signed)) in &report.chains {
        print_line(&format!(
            "chain tenant {tenant_id}: {position} entries, signed through {signed}"
        ));
    }
    let (entries, checkpoints) = (report.entries, report.checkpoints);
    if report.holds() {
        print_line(&format!(
            "the audit log holds: {entries} entries and {checkpoints} signatures were checked"
        ));
        ExitCode::SUCCESS
    } else {
        print_line(&format!(
            "the audit log does not hold: {} faults in {entries} entries and {checkpoints} signatures",
            report.faults.len()
        ));
        ExitCode::FAILURE
    }
}

pub(crate) fn print_migration(report: &sg_db::MigrationReport) {
    if report.from_version == report.to_version {
        print_line(&format!("the schema is version {} already", report.to_version));
    } else {
        print_line(&format!(
            "the schema went from version {} to {}",
            report.from_version, report.to_version
        ));
    }
    for row in &report.adopted {
        print_line(&format!(
            "{} {}: {} → {}",
            row.table_name, row.row_id, row.problem, row.repair
        ));
    }
}

pub(crate) fn print_first(made: Option<Seeded>) -> ExitCode {
    let Some(made) = made else {
        print_line(
            "there is an administrator already; `secureguard admin reset-password NAME` gives them a new password",
        );
        return ExitCode::FAILURE;
    };
    print_line(&format!("user name:     {}", made.username));
    print_line(&format!(
        "password:      {}  (good for the first sign-in, which asks for another)",
        made.admin_password.expose_secret()
    ));
    print_line(&format!("enrolment key: {}", made.enrolment_key.expose_secret()));
    ExitCode::SUCCESS
}

pub(crate) fn print_rotation(rotated: &commands::Rotated) {
    match rotated {
        commands::Rotated::Retired(keys) if keys.is_empty() => print_line("there is no older key"),
        commands::Rotated::Retired(keys) => print_line(&format!("removed: {}", keys.join(", "))),
        commands::Rotated::Rotation(rotation) => {
            let began = if rotation.resumed {
                "finished an earlier rotation"
            } else {
                "made a new key"
            };
            print_line(&format!(
                "{began}: key {} seals, {} secrets were sealed again",
                rotation.key_id, rotation.resealed
            ));
            if !rotation.older_keys.is_empty() {
                print_line(&format!(
                    "still in the file: {}; remove with --retire once no backup from before is needed",
                    rotation.older_keys.join(", ")
                ));
            }
        }
    }
}

pub(crate) fn print_findings(findings: &[commands::Finding]) -> ExitCode {
    for finding in findings {
        match &finding.result {
            Ok(found) => print_line(&format!("ok    {}: {found}", finding.about)),
            Err(problem) => print_line(&format!("WRONG {}: {problem}", finding.about)),
        }
    }
    if findings.iter().all(|finding| finding.result.is_ok()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
