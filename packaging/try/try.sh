#!/bin/sh
# Tries packages for real, in copies of two chroots: try.sh SERVER_ROOT OLD_ROOT EARLIER_FOLDER NEW_FOLDER
#
# SERVER_ROOT gets the Debian packages of EARLIER_FOLDER, then those of NEW_FOLDER; OLD_ROOT, an older distribution, gets the static agent by the one
# line that the server shows. Runs as root in namespaces of its own (mounts, processes), so that nothing stays behind.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

server=$1 old=$2 earlier=$3 new=$4
here=$(dirname "$0")
url=https://localhost:18443
password=Violet-harbour-9-lanterns
units=/usr/lib/systemd/system

say() { echo "try: $*"; }
die() {
    tail -n 20 "$server"/try/*.log >&2 || true
    echo "try: $*" >&2
    exit 1
}
in_server() { chroot "$server" "$@"; }
in_old() { chroot "$old" "$@"; }

mount_root() {
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/run"
}

# From here on systemd seems to run in a root: what is asked of it is written down, and nothing is started.
pretend_systemd() {
    mkdir -p "$1/run/systemd/system"
    printf '#!/bin/sh\necho "$*" >>/systemctl.log\n' >"$1/usr/local/bin/systemctl"
    chmod 755 "$1/usr/local/bin/systemctl"
    # It would keep deb-systemd-invoke from asking.
    rm -f "$1/usr/sbin/policy-rc.d"
    : >"$1/systemctl.log"
}

# Whether exactly these things were asked of systemd in a root since the last time, one for each argument, in this order.
asked() {
    where=$1 what=$2
    shift 2
    printf '%s\n' "$@" | cmp -s - "$where/systemctl.log" || die "$what asked of systemd: $(tr '\n' ';' <"$where/systemctl.log"), and not: $*"
    : >"$where/systemctl.log"
    say "$what asks of systemd what it should"
}

# Asks until the command succeeds.
await() {
    what=$1
    shift
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -lt 300 ] || die "$what did not come"
        sleep 0.2
    done
    say "$what"
}

api() {
    method=$1 path=$2 token=$3
    shift 3
    in_server curl -fsS --cacert /var/lib/secureguard/tls/ca.pem -X "$method" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        "$@" "$url/api/v1$path"
}

# The words of a document, by jq.
words() { in_server jq -r "$1"; }

start_server() {
    chroot "$server" python3 /try/confine.py "$units/secureguard.service" >"$server/try/server.log" 2>&1 &
    server_pid=$!
    await "the server serves as $(in_server stat -c %U /var/lib/secureguard) under the unit's restrictions" test -s "$server/run/secureguard/ready.json"
}

end() {
    kill -TERM "$1"
    wait "$1" || die "$2 ended with $?"
    say "$2 ended in order"
}

start_agent() {
    chroot "$server" python3 /try/confine.py "$units/secureguard-agent.service" >"$server/try/agent.log" 2>&1 &
    agent_pid=$!
}

# Whether the server has heard of an endpoint after a moment.
heard_since() {
    last=$(api GET /agents/endpoints "$token" | words ".items[] | select(.agent_id == \"$1\") | .last_seen // empty")
    [ -n "$last" ] && [ "$(date -d "$last" +%s%N)" -gt "$2" ]
}

moment() { date +%s%N; }

install_earlier() {
    in_server dpkg -i /try/earlier/secureguard.deb /try/earlier/secureguard-agent.deb >"$server/try/dpkg.log" 2>&1 || die "dpkg -i failed"
    [ ! -e "$server/var/lib/secureguard/postgres" ] || die "the first installation started something"
    in_server sh -c 'man -w secureguard >/dev/null 2>&1 || test -e /usr/share/man/man1/secureguard-up.1.gz' || die "no manual page"
    for account in secureguard secureguard-signer; do
        in_server id "$account" >/dev/null || die "there is no account $account"
    done
    in_server sh -c "id -nG secureguard | grep -qw secureguard-signer" || die "the server may not use the signer's socket"
    [ "$(in_server stat -c '%a %U' /var/lib/secureguard)" = "700 secureguard" ] || die "/var/lib/secureguard is open"
    in_server logrotate --debug /etc/logrotate.d/secureguard >/dev/null 2>&1 || die "logrotate does not take its file"
    for unit in secureguard secureguard-signer secureguard-agent; do
        in_server systemd-analyze verify --man=no "$units/$unit.service" 2>"$server/try/verify.log" || die "$unit.service is faulty"
    done
    say "installed the earlier version; units, accounts and folders are right"
}

sign_in() {
    one_time=$(words .admin.password <"$server/run/secureguard/ready.json")
    token=$(api POST /sessions "" -d "{\"username\":\"admin\",\"password\":\"$one_time\"}" | words .token)
    api POST /users/me/password "$token" -d "{\"current_password\":\"$one_time\",\"new_password\":\"$password\"}"
    token=$(api POST /sessions "" -d "{\"username\":\"admin\",\"password\":\"$password\"}" | words .token)
}

try_signer() {
    chroot "$server" python3 /try/confine.py "$units/secureguard-signer.service" >"$server/try/signer.log" 2>&1 &
    signer_pid=$!
    await "the signer listens under its unit's restrictions" test -S "$server/run/secureguard-signer/signer.sock"
    [ "$(in_server stat -c '%a %G' /run/secureguard-signer/signer.sock)" = "660 secureguard-signer" ] || die "the signer's socket is open to others"
}

try_package_agent() {
    words .enrolment_key <"$server/run/secureguard/ready.json" >"$server/try/key"
    in_server secureguard-agent enrol --server "$url" --key-file /try/key --ca /var/lib/secureguard/tls/ca.pem
    agent_id=$(words .agent_id <"$server/var/lib/secureguard-agent/identity.json")
    since=$(moment)
    start_agent
    await "the packaged agent has checked in" heard_since "$agent_id" "$since"
}

try_static_agent() {
    command=$(api GET /agents/installer "$token" | words .script.command)
    key=$(api POST /users/api-keys "$token" -d '{"key_name":"one line","scopes":["enrol"]}' | words .key)
    say "one line: $command"
    (while :; do cat /proc/[0-9]*/cmdline || true; sleep 0.02; done >"$new/arguments" 2>/dev/null) &
    watcher=$!
    printf '%s\n' "$key" | in_old sh -c "$command"
    kill "$watcher"
    ! tr '\0' ' ' <"$new/arguments" | grep -q "$key" || die "the key was in some process's arguments"
    rm "$new/arguments"
    [ ! -e "$old/usr/bin/secureguard-agent" ] || die "the script wrote into /usr/bin"
    static_id=$(words .agent_id <"$old/var/lib/secureguard-agent/identity.json")
    since=$(moment)
    chroot "$old" /usr/local/bin/secureguard-agent run --watch /tmp >"$old/agent.log" 2>&1 &
    static_pid=$!
    await "the static agent on $(. "$old/etc/os-release" && echo "$PRETTY_NAME") has checked in" heard_since "$static_id" "$since"
    say "the static agent's memory: $(grep VmRSS "/proc/$static_pid/status" | tr -s '\t ' ' ')"
}

remove_static_agent() {
    end "$static_pid" "the static agent"
    in_old sh /usr/local/share/secureguard-agent/agent.sh --uninstall
    left=$(cd "$old" && find etc usr/local var/lib -name '*secureguard*')
    [ -z "$left" ] || die "the uninstallation left $left"
    say "nothing of the static agent is left"
}

# The same with a systemd that would start it.
try_static_service() {
    pretend_systemd "$old"
    key=$(api POST /users/api-keys "$token" -d '{"key_name":"service","scopes":["enrol"]}' | words .key)
    printf '%s\n' "$key" | in_old sh -c "$command"
    asked "$old" "the static agent's installation" daemon-reload "--quiet enable secureguard-agent.service" "restart secureguard-agent.service"
    in_old systemd-analyze verify --man=no /etc/systemd/system/secureguard-agent.service || die "the static agent's unit is faulty"
    in_old sh /usr/local/share/secureguard-agent/agent.sh --uninstall
    asked "$old" "the static agent's removal" "--quiet disable --now secureguard-agent.service" daemon-reload
    left=$(cd "$old" && find etc usr/local var/lib -name '*secureguard*')
    [ -z "$left" ] || die "the uninstallation left $left"
}

upgrade() {
    pretend_systemd "$server"
    audited=$(api GET "/audit/events?limit=500" "$token" | words '.items | length')
    end "$server_pid" "the server"
    end "$agent_pid" "the agent"
    echo 'SECUREGUARD_WATCH="--watch /srv"' >"$server/etc/default/secureguard-agent"
    in_server dpkg -i --force-confold /try/new/secureguard.deb /try/new/secureguard-agent.deb >"$server/try/dpkg.log" 2>&1 || die "the upgrade failed"
    asked "$server" "the upgrade" "--system daemon-reload" "try-restart secureguard-signer.service secureguard.service" \
        "--system daemon-reload" "try-restart secureguard-agent.service"
    grep -q srv "$server/etc/default/secureguard-agent" || die "the upgrade replaced a changed file of the configuration"
    start_server
    since=$(moment)
    start_agent
    await "after the upgrade the session works on and the agent has checked in" heard_since "$agent_id" "$since"
    [ "$(api GET "/audit/events?limit=500" "$token" | words '.items | length')" -ge "$audited" ] || die "the audit log is shorter"
    in_server setpriv --reuid secureguard --regid secureguard --clear-groups secureguard audit verify --data-dir /var/lib/secureguard
}

remove_and_purge() {
    end "$agent_pid" "the agent"
    end "$server_pid" "the server"
    kill "$signer_pid"
    wait "$signer_pid" || true
    in_server dpkg -r secureguard secureguard-agent >"$server/try/dpkg.log" 2>&1
    asked "$server" "the removal" "stop secureguard.service secureguard-signer.service" "--system daemon-reload" \
        "stop secureguard-agent.service" "--system daemon-reload"
    [ -e "$server/var/lib/secureguard/postgres" ] && [ -e "$server/var/lib/secureguard-agent/identity.json" ] || die "removing the packages removed data"
    [ -e "$server/etc/secureguard/secureguard.toml" ] || die "removing the packages removed the configuration"
    say "after dpkg --remove data and configuration are there"
    in_server dpkg -P secureguard secureguard-agent >"$server/try/dpkg.log" 2>&1
    left=$(cd "$server" && find etc usr var run -xdev -name '*secureguard*' -o -name sgctl)
    [ -z "$left" ] || die "the purge left $left"
    say "after dpkg --purge nothing is left but the accounts"
    : >"$server/systemctl.log"
    in_server dpkg -i /try/new/secureguard.deb >"$server/try/dpkg.log" 2>&1 || die "a new installation failed"
    asked "$server" "a first installation, which starts nothing," "--system daemon-reload"
}

for root in "$server" "$old"; do
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
done
mount_root "$server"
mount_root "$old"
mkdir -p "$server/try/earlier" "$server/try/new"
cp "$here/confine.py" "$server/try/"
for name in secureguard secureguard-agent; do
    cp "$earlier/${name}_"*.deb "$server/try/earlier/$name.deb"
    cp "$new/${name}_"*.deb "$server/try/new/$name.deb"
done
install_earlier
sed -i "s|^listen = .*|listen = \"0.0.0.0:18443\"|; s|^public_url = .*|public_url = \"$url\"|" "$server/etc/secureguard/secureguard.toml"
start_server
sign_in
try_signer
try_package_agent
try_static_agent
remove_static_agent
try_static_service
upgrade
remove_and_purge
say "everything held"
