#!/bin/sh
# Run by Patroni on the first primary, with the superuser's connection string: makes the database and the roles that sign in. All that these roles may do comes
# from `secureguard migrate`, which finds them and leaves their passwords alone. One file for each password, readable by the account of PostgreSQL only.
set -eu
passwords=${SECUREGUARD_PASSWORDS:-/etc/secureguard/patroni/passwords}
for role in sg_app sg_system sg_backup; do
    test -s "$passwords/$role" || { echo "$passwords/$role is missing or empty" >&2; exit 1; }
done
export passwords
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$1" <<'SQL'
-- A statement that fails is not to end up in the log with its password.
set log_min_error_statement = panic;
\set app `cat "$passwords/sg_app"`
\set system `cat "$passwords/sg_system"`
\set backup `cat "$passwords/sg_backup"`
create role sg_app noinherit login password :'app';
create role sg_system noinherit login password :'system';
create role sg_backup noinherit login password :'backup';
create database secureguard;
revoke connect, temporary on database secureguard from public;
SQL
