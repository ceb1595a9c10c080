//! How the tenant context is read: from the parameter that only `sg_auth` may set, else from the sealed setting (migrations 30 and 37).

use sqlx::{AssertSqlSafe, PgConnection};

use crate::DbError;

/// What `users.open_context` writes there. Anything else in the parameter is no context.
const CLAIMS: &str = "split_part(current_setting('backtrace_functions'), 'sg_context,', 2)";

/// Function, type and value of each claim; `{}` stands for [`CLAIMS`]. Tenant and user are 32 digits each. The first three are asked once for each table
/// of a statement, where each call less shows: what they look for stands ready at one end of the parameter.
const FUNCTIONS: [(&str, &str, &str); 7] = [
    (
        "current_tenant",
        "uuid",
        "nullif(split_part(current_setting('backtrace_functions'), ',sg_tenant,', 2), '')::uuid",
    ),
    (
        "whole_tenant",
        "uuid",
        "nullif(split_part(current_setting('backtrace_functions'), ',tenant,sg_tenant,', 2), '')::uuid",
    ),
    (
        "sees_whole_tenant",
        "boolean",
        "starts_with(current_setting('backtrace_functions'), 'sg_whole,')",
    ),
    ("current_user_id", "uuid", "nullif(substr({}, 34, 32), '')::uuid"),
    ("current_scope", "text", "nullif(split_part({}, ',', 3), '')"),
    (
        "current_member_role",
        "text",
        "nullif(convert_from(decode(split_part({}, ',', 4), 'hex'), 'UTF8'), '')",
    ),
    (
        "current_retention_class",
        "smallint",
        "nullif(split_part({}, ',', 5), '')::smallint",
    ),
];

/// Puts the parameter in the place of the seal, where `sg_auth` was granted it.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) async fn prefer_parameter(conn: &mut PgConnection) -> Result<(), DbError> {
    let wanted: bool = sqlx::query_scalar(
        "select has_parameter_privilege('sg_auth', 'backtrace_functions', 'set') and exists (
            select from pg_proc p where p.oid = to_regprocedure('users.whole_tenant()')
                and pg_get_function_sqlbody(p.oid) like '%sees_whole_tenant%')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if !wanted {
        return Ok(());
    }
    let mut statements = String::from(
        "begin; set local role sg_owner; grant create on schema users to sg_auth; set local role sg_auth; ",
    );
    for (name, kind, value) in FUNCTIONS {
        let value = value.replace("{}", CLAIMS);
        statements.push_str(&format!(
            "create or replace function users.{name}() returns {kind} language sql stable parallel restricted return {value}; "
        ));
    }
    statements.push_str("set local role sg_owner; revoke create on schema users from sg_auth; commit");
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(conn).await?;
    Ok(())
}
