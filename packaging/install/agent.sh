#!/bin/sh
# Puts the SecureGuard agent on this machine, or takes it away with --uninstall. The server filled in what stands between single quotes below;
# the command that the console shows checks this script's digest before it runs, and so everything in it is the server's word.
set -eu

SERVER='@SERVER@'
# Machine and SHA-256 of the program for it, a line each.
PROGRAMS='@PROGRAMS@'
# The authority of the server's certificate; empty: those of this system.
AUTHORITY='@AUTHORITY@'

BIN=/usr/local/bin/secureguard-agent
UNIT=/etc/systemd/system/secureguard-agent.service
STATE=/var/lib/secureguard-agent
SHARE=/usr/local/share/secureguard-agent
OPTIONS=/etc/default/secureguard-agent

usage() {
    cat <<'EOF'
usage: sh agent.sh [--key-file FILE] [--watch DIR]... [--no-start]
       sh agent.sh --uninstall [--force]

  --key-file FILE   the enrolment key; without it, it is asked for, or read from standard input
  --watch DIR       a folder to watch, with everything below it; /home, /tmp and /var/www without one
  --no-start        sets everything up and starts nothing
  --uninstall       takes this machine out of service at the server and removes everything
  --force           with --uninstall: also when the server cannot be told
EOF
}

die() {
    echo "agent.sh: $*" >&2
    exit 1
}

say() {
    echo "agent.sh: $*"
}

has_systemd() {
    [ -d /run/systemd/system ] && command -v systemctl >/dev/null
}

clean() {
    stty echo 2>/dev/null </dev/tty || true
    rm -rf "$work" "$BIN.new"
}

fetch() {
    if command -v curl >/dev/null; then
        if [ -n "$AUTHORITY" ]; then
            curl -fsS --retry 3 --cacert "$work/ca.pem" -o "$2" "$1"
        else
            curl -fsS --retry 3 -o "$2" "$1"
        fi
    elif command -v wget >/dev/null; then
        if [ -n "$AUTHORITY" ]; then
            wget -q --ca-certificate="$work/ca.pem" -O "$2" "$1"
        else
            wget -q -O "$2" "$1"
        fi
    else
        die "curl or wget is needed"
    fi
}

# Neither the arguments of a program nor this script ever hold the key.
read_key() {
    if [ -n "$key_file" ]; then
        key=$(cat "$key_file")
    elif [ -t 0 ]; then
        printf 'Enrolment key: ' >&2
        stty -echo
        read -r key || true
        stty echo
        echo >&2
    else
        read -r key || true
    fi
    [ -n "$key" ] || die "an enrolment key is needed; the console shows one under API keys"
}

enrol() {
    if [ -e "$STATE/identity.json" ]; then
        say "this machine is enrolled already; its identity stays"
        return
    fi
    read_key
    set -- enrol --server "$SERVER" --key-file - --state-dir "$STATE"
    if [ -n "$AUTHORITY" ]; then
        set -- "$@" --ca "$work/ca.pem"
    fi
    if ! printf '%s\n' "$key" | "$BIN.new" "$@" >"$work/said"; then
        rmdir "$STATE" 2>/dev/null || true
        die "nothing was installed"
    fi
    head -n 1 "$work/said"
}

write_unit() {
    cat >"$UNIT" <<'EOF'
@UNIT@
EOF
    if [ -n "$watch" ]; then
        printf 'SECUREGUARD_WATCH="%s"\n' "$watch" >"$OPTIONS"
    fi
}

install_agent() {
    [ ! -e /usr/bin/secureguard-agent ] || die "the Debian package secureguard-agent is installed: upgrade it by apt, or remove it first"
    [ "$(uname -s)" = Linux ] || die "the agent runs on Linux"
    machine=$(uname -m)
    sum=$(printf '%s\n' "$PROGRAMS" | sed -n "s/^$machine //p")
    [ -n "$sum" ] || die "this server offers no agent for $machine"
    umask 022
    mkdir -p "${BIN%/*}" "$SHARE"
    if [ -n "$AUTHORITY" ]; then
        printf '%s\n' "$AUTHORITY" >"$work/ca.pem"
    fi
    fetch "$SERVER/install/agent/$machine" "$BIN.new" || die "cannot download the agent from $SERVER"
    echo "$sum  $BIN.new" | sha256sum -c - >/dev/null 2>&1 ||
        die "what was downloaded is not what the server's script names (SHA-256 differs): nothing was installed"
    chmod 755 "$BIN.new"
    "$BIN.new" --version >/dev/null || die "the agent does not run on this machine"
    enrol
    mv -f "$BIN.new" "$BIN"
    cp "$0" "$SHARE/agent.sh"
    run="$BIN run --state-dir $STATE ${watch:---watch /home --watch /tmp --watch /var/www}"
    if [ -d /etc/systemd/system ]; then
        write_unit
    fi
    if ! has_systemd; then
        say "there is no systemd here: let your own supervisor run, as root: $run"
    elif [ "$start" = yes ]; then
        systemctl daemon-reload
        systemctl --quiet enable secureguard-agent.service
        systemctl restart secureguard-agent.service
        say "the agent runs as the service secureguard-agent"
    fi
    say "to remove it: sh $SHARE/agent.sh --uninstall"
}

uninstall_agent() {
    if has_systemd && [ -e "$UNIT" ]; then
        systemctl --quiet disable --now secureguard-agent.service
    fi
    if [ -x "$BIN" ] && [ -e "$STATE/identity.json" ]; then
        if [ "$force" = yes ]; then
            "$BIN" unenrol --local-only --state-dir "$STATE" || true
        else
            "$BIN" unenrol --state-dir "$STATE" || die "nothing was removed; --force removes everything without the server"
        fi
    fi
    rm -rf "$STATE" "$SHARE" "$BIN" "$UNIT" "$UNIT.d" "$OPTIONS"
    if has_systemd; then
        systemctl daemon-reload
    fi
    say "the agent is gone"
}

main() {
    key= key_file= watch= start=yes force=no what=install
    while [ $# -gt 0 ]; do
        case "$1" in
            --key-file) key_file=${2:?--key-file needs a file}; shift ;;
            --watch)
                case "${2:?--watch needs a folder}" in
                    *[!A-Za-z0-9/._-]*) die "a folder with such a name is set in $OPTIONS by hand: $2" ;;
                esac
                watch="$watch${watch:+ }--watch $2"
                shift ;;
            --no-start) start=no ;;
            --uninstall) what=uninstall ;;
            --force) force=yes ;;
            --help | -h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || die "this has to run as root"
    work=$(mktemp -d)
    trap clean EXIT
    trap 'exit 1' HUP INT TERM
    if [ "$what" = uninstall ]; then
        uninstall_agent
    else
        install_agent
    fi
}

main "$@"
