-- Run after the numbered steps. sg_app_own may do what sg_app may; which rows they meet is what tells them apart.
do $$
declare
    difference record;
begin
    for difference in
        with held as (
            select format('schema %I', n.nspname) as object, '' as of_column, pg_get_userbyid(n.nspowner) as owner, g.privilege_type, g.grantee
            from pg_namespace n cross join lateral aclexplode(n.nspacl) g
            where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
            union all
            select format('table %s', c.oid::regclass), '', pg_get_userbyid(c.relowner), g.privilege_type, g.grantee
            from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) g
            where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
            union all
            select format('table %s', c.oid::regclass), format(' (%I)', a.attname), pg_get_userbyid(c.relowner), g.privilege_type, g.grantee
            from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            cross join lateral aclexplode(a.attacl) g
            where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and not a.attisdropped
            union all
            select format('function %s', p.oid::regprocedure), '', pg_get_userbyid(p.proowner), g.privilege_type, g.grantee
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join lateral aclexplode(p.proacl) g
            where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
        )
        select h.object, h.of_column, h.owner, h.privilege_type, bool_or(h.grantee = 'sg_app'::regrole) as is_due
        from held h where h.grantee in ('sg_app'::regrole, 'sg_app_own'::regrole)
        group by h.object, h.of_column, h.owner, h.privilege_type
        having count(distinct h.grantee) = 1
    loop
        execute format('set local role %I', difference.owner);
        execute format(
            case when difference.is_due then 'grant %s%s on %s to sg_app_own' else 'revoke %s%s on %s from sg_app_own' end,
            difference.privilege_type, difference.of_column, difference.object);
    end loop;
end
$$;
