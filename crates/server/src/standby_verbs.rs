//! `secureguard standby …`: what is read from the command line, and what is said.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use sg_server::config::Verb;
use sg_server::standby;

use crate::{block_on, prepare, print_line};

#[derive(Debug, Subcommand)]
pub(crate) enum StandbyVerb {
    /// On the primary: let a standby follow; writes the file that makes it.
    Invite {
        /// The standby's name: lower-case letters, digits and underscores.
        name: String,
        /// The file to make. It holds every secret of the installation.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// On another machine: make a standby of the primary that the file is from.
    Init {
        /// The file of `standby invite`.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Say how far standbys are, or this standby is. Exit code 1 when something is not in order.
    Status(Place),
    /// On the standby: take over.
    Promote {
        /// The old primary does not answer, and I have made sure that it is off or that nobody reaches it.
        #[arg(long)]
        primary_is_off: bool,
        #[command(flatten)]
        place: Place,
    },
    /// On the primary: let go of what is kept for a standby that does not come back.
    Remove {
        /// The standby's name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The data directory of the server.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(file: Option<&Path>, command: StandbyVerb) -> anyhow::Result<ExitCode> {
    let config = |place: Place| prepare(file, Verb::Up, place.data_dir, None);
    match command {
        StandbyVerb::Invite {
            name,
            file: out,
            place,
        } => {
            let out = std::path::absolute(out)?;
            block_on(standby::invite(&config(place)?, &name, &out))?;
            print_line(&format!(
                "{} lets {name} follow; it holds every secret of the installation: bring it to that machine on a safe way, and delete it afterwards\n\
                 next, there: secureguard standby init --from FILE --data-dir DIR",
                out.display()
            ));
        }
        StandbyVerb::Init { from, place } => {
            let config = config(place)?;
            block_on(standby::init(&config, &from))?;
            print_line(&format!(
                "the standby is made; delete {}\nnext: secureguard up --data-dir {}, which follows until `secureguard standby promote`",
                from.display(),
                config.data_dir.display()
            ));
        }
        StandbyVerb::Status(place) => {
            let (lines, is_in_order) = block_on(async move { standby::status(&config(place)?).await })?;
            for line in lines {
                print_line(&line);
            }
            return Ok(if is_in_order {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        StandbyVerb::Promote {
            primary_is_off,
            place,
        } => {
            let promoted = block_on(standby::promote(&config(place)?, primary_is_off))?;
            let last = promoted
                .replayed_at
                .map_or_else(|| "unknown".to_owned(), |at| at.to_rfc3339());
            print_line(&format!(
                "promoted in {:.2} s: timeline {}, the last commit of the old primary that is here is of {last}\n\
                 `up` serves within a moment; point endpoints and people here, and never start the old primary as it is",
                promoted.took.as_secs_f64(),
                promoted.timeline
            ));
        }
        StandbyVerb::Remove { name, place } => {
            let words = if block_on(standby::remove(&config(place)?, &name))? {
                "its slot is gone; commits of a synchronous setup wait until the name is removed from standby.synchronous and `up` was restarted"
            } else {
                "there is no slot of that name"
            };
            print_line(words);
        }
    }
    Ok(ExitCode::SUCCESS)
}
