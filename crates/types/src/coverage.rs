//! What each reason of a gap means, in words for people.

/// What a gap means and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// Explains a gap by its reason and, for an endpoint that was offline, by what was down (`host`, `agent`, `network`, `unknown`).
pub fn explain(reason: &str, cause: Option<&str>) -> Explanation {
    let (meaning, advice) = match (reason, cause) {
        ("offline", None) => (
            "Nothing has been heard of the endpoint since then. Whether the machine, the agent or the network is down shows when it is back.",
            "See whether the machine runs. If it does: `systemctl status secureguard-agent` and `secureguard-agent status` on it.",
        ),
        ("offline", Some("host")) => (
            "The machine was down or asleep. Nothing ran on it that could have been seen.",
            "Nothing, if that was intended.",
        ),
        ("offline", Some("agent")) => (
            "The agent did not run while the machine did: nothing was seen.",
            "Find out who stopped it or why it ended: `journalctl -u secureguard-agent` on the machine.",
        ),
        ("offline", Some("network")) => (
            "The agent ran without reaching the server. It kept what it saw and sent it afterwards, findings too.",
            "Nothing is lost unless a gap `spool_full` stands beside it.",
        ),
        ("offline", Some(_)) => (
            "Nothing was heard of the endpoint, and there is no evidence of what was down.",
            "Update the agent if it is old: newer ones tell what became of the time.",
        ),
        ("agent_killed", _) => (
            "The agent ended without order, killed or crashed, while the machine ran. Nothing was seen until it was started again.",
            "Look into it: attackers end agents. `journalctl -u secureguard-agent` tells the signal; out of memory is in `journalctl -k`.",
        ),
        ("agent_stopped", _) => (
            "Somebody stopped the agent in order and started it again. Nothing was seen in between.",
            "Nothing, if it was an update or maintenance.",
        ),
        ("agent_halted", _) => (
            "The agent got no processor time while the machine ran: it was stopped by a signal, or the machine was overloaded.",
            "Look for SIGSTOP in the audit trail of the machine, and at its load.",
        ),
        ("host_down", _) => ("The machine was down.", "Nothing, if that was intended."),
        ("host_asleep", _) => (
            "The machine slept. Nothing ran on it that could have been seen.",
            "Nothing.",
        ),
        ("spool_full", _) => (
            "The server was away for longer than the agent could keep what it saw. The oldest records were dropped.",
            "Give the agent more room with `--spool-max-bytes`, or bring the server back sooner.",
        ),
        ("spool_damaged", _) => (
            "A part of what the agent kept on disk could not be read back.",
            "Check the file system of the agent's state folder.",
        ),
        ("channel_full", _) => (
            "More happened than the agent could write to disk.",
            "Watch fewer busy folders, or give the agent more processor time.",
        ),
        ("source_overflow", _) => (
            "The kernel dropped events because they were not read fast enough.",
            "Watch fewer busy folders, or give the agent more processor time.",
        ),
        ("source_unavailable", _) => (
            "A watched folder was missing, or could not be read.",
            "Check that the folder exists and that the agent may read it.",
        ),
        ("weaker_source", _) => (
            "A weaker source is in use: programs that run for less than about 0.1 s are not seen.",
            "Give the agent CAP_NET_ADMIN, as its systemd unit does, and run it outside of a container.",
        ),
        ("collector_off", _) => (
            "Nothing of this kind is watched.",
            "For files, name folders with `--watch`; for programs, read the agent's log.",
        ),
        ("clock_skew", _) => (
            "The endpoint's clock was more than a minute off, so that the times of its events are not to be relied on.",
            "Set up time synchronisation on the machine.",
        ),
        ("records_missing", _) => (
            "Numbers of the agent's stream never arrived.",
            "Its state may have been restored from a backup. If it happens again, enrol the machine anew.",
        ),
        ("record_refused", _) => (
            "A record could not be stored and was given up, alone.",
            "Nothing. If there are many, update the agent.",
        ),
        ("more_gaps", _) => (
            "The endpoint had more gaps on this day than are kept one by one.",
            "Look at the gaps before: the same cause goes on, or somebody plays with the agent.",
        ),
        _ => (
            "The agent says that it missed something.",
            "Read what it says, and its log on the machine.",
        ),
    };
    Explanation { meaning, advice }
}
