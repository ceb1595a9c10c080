//! The pools under requests that are dropped half-way, and callers whose proof ends.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sg_db::{Caller, Db, DbConfig, DbError, users};
use sg_testkit::TestDb;
use sg_types::{Role, TenantId, UserId};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};
use uuid::Uuid;

use crate::support::*;

const USER_OF_A: UserId = UserId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0002));

/// One request of `caller`: reads, or changes and drops, as `number` decides.
async fn request(db: &Db, caller: &Caller, number: u32) -> Result<(), DbError> {
    let name = if number.is_multiple_of(2) {
        let mut tx = db.read(caller, now()).await?;
        users::find_tenant_name(&mut tx, caller.tenant_id).await?
    } else {
        let mut tx = db.write(caller, now()).await?;
        users::set_user_role(&mut tx, USER_OF_A, Role::Manager).await?;
        users::find_tenant_name(&mut tx, caller.tenant_id).await?
    };
    assert!(name.is_some(), "a request read in another context than its own");
    Ok(())
}

/// A Db that reaches `test` through a proxy which holds every packet back for a millisecond, so that no answer is there before its request was
/// left waiting: the place where a request is dropped is then the same on a fast machine and on a busy one.
#[expect(
    clippy::disallowed_methods,
    reason = "the proxy's connections live as long as the test"
)]
async fn through_slow_proxy(test: &TestDb) -> anyhow::Result<Db> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let url = test.url("sg_app").expose_secret().to_owned();
    let (credentials, address) = url.split_once('@').unwrap_or_default();
    let parameter = |name: &str| {
        let (_, rest) = address.split_once(&format!("{name}=")).unwrap_or_default();
        rest.split('&')
            .next()
            .unwrap_or_default()
            .replace("%2F", "/")
            .replace("%25", "%")
    };
    let socket = format!("{}/.s.PGSQL.{}", parameter("host"), parameter("port"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_client, to_client) = client.into_split();
            if let Ok(server) = UnixStream::connect(&socket).await {
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server));
                tokio::spawn(forward(from_server, to_client));
            }
        }
    });
    let proxied = |role: &str| {
        SecretString::from(format!(
            "{}@127.0.0.1:{port}/{}?sslmode=disable",
            credentials.replace("//sg_app:", &format!("//{role}:")),
            test.name()
        ))
    };
    let mut config = DbConfig::new(proxied("sg_app"), proxied("sg_system"));
    config.app_connections = 8;
    Ok(Db::connect_lazy(&config)?)
}

async fn forward(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cancelled_requests_leave_no_connection_behind() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let db = through_slow_proxy(&test).await?;
    let callers = [caller(&test, ADMIN_A).await?, caller(&test, ADMIN_B).await?];
    let mut root = test.connect("postgres").await?;
    let inside = "select state || ' ' || query from pg_stat_activity where datname = current_database() and application_name like 'secureguard%'
        and (xact_start is not null or state <> 'idle')";
    let mut finished = 0;
    for batch in 0..100_u32 {
        // A pool that has connections to hand out: the time to make one is not what is tried here.
        let whole = (0..8_u32).map(|number| request(&db, &callers[usize::from(number % 2 == 0)], number));
        futures_util::future::try_join_all(whole).await?;
        // The requests of a batch are dropped at the same time, from at once to after their end: looked at before the next batch,
        // since the next transaction of a connection would end what an earlier one left.
        let running = (0..10_u32).map(|index| {
            let number = batch * 10 + index;
            let work = request(&db, &callers[usize::from(number % 3 == 0)], number);
            tokio::time::timeout(Duration::from_micros(u64::from(batch) * 160), work)
        });
        let results = futures_util::future::join_all(running).await;
        finished += results.into_iter().filter(Result::is_ok).count();
        // Back in the pool, a connection has done what was left to do for the request that was dropped.
        for _ in 0..500 {
            if db.usage()[0].open == db.usage()[0].idle {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(
            db.usage()[0].open,
            db.usage()[0].idle,
            "connections that never came back"
        );
        // PostgreSQL may still be ending the statement of a dropped request; a connection that was left inside a transaction stays there,
        // since nobody uses it meanwhile.
        let mut left_inside = texts(&mut root, inside).await?;
        for _ in 0..200 {
            if left_inside.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            left_inside = texts(&mut root, inside).await?;
        }
        assert_eq!(
            left_inside,
            Vec::<String>::new(),
            "connections inside a transaction {} µs after the begin of a request",
            batch * 160
        );
    }
    println!("{finished} of 1000 requests came to their end");
    assert!(
        finished < 950,
        "{finished} of 1000 came to their end: too few were cancelled"
    );

    // Every connection of the pool, at the same time: none has a context.
    let pings = futures_util::future::join_all((0..32).map(|_| db.ping())).await;
    for ping in pings {
        ping?;
    }
    assert_eq!(
        db.usage()[0].open,
        db.usage()[0].idle,
        "connections that never came back"
    );
    // Nothing of the dropped changes was committed.
    let role = format!("select role::text from users.users where user_id = '{USER_OF_A}'");
    assert_eq!(text(&mut root, role).await?.as_deref(), Some("user"));
    for number in 0..64 {
        request(&db, &callers[number as usize % 2], number).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_caller_is_refused_when_the_proof_has_ended() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let admin = caller(&test, ADMIN_A).await?;
    assert_eq!(
        (admin.tenant_id.to_string().as_str(), admin.role.clone()),
        (TENANT_A, Role::Admin.into())
    );
    drop(test.db.read(&admin, now()).await?);

    // Another tenant under the same proof is refused: the caller says a tenant, the proof decides.
    let elsewhere = Caller {
        tenant_id: TENANT_B.parse()?,
        ..admin.clone()
    };
    assert!(matches!(
        test.db.read(&elsewhere, now()).await,
        Err(DbError::ContextRefused)
    ));
    let nowhere = Caller {
        tenant_id: TenantId(Uuid::from_u128(1)),
        ..admin.clone()
    };
    assert!(matches!(
        test.db.write(&nowhere, now()).await,
        Err(DbError::ContextRefused)
    ));

    run(
        &mut root,
        "update users.sessions set ended_at = now() where user_id = 'aaaaaaaa-0000-4000-8000-000000000001'",
    )
    .await?;
    assert!(matches!(
        test.db.read(&admin, now()).await,
        Err(DbError::ContextRefused)
    ));
    assert!(matches!(
        test.db.write(&admin, now()).await,
        Err(DbError::ContextRefused)
    ));
    assert!(test.db.authenticate(admin.proof, None, now()).await?.is_none());
    test.db.ping().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_works_in_its_own_tenant_only() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let proof = sg_db::Proof::ApiKey(sg_db::TokenHash::of(KEY_A));
    // Its owner is a member elsewhere too.
    run(
        &mut root,
        format!("insert into users.memberships (tenant_id, user_id, role) values ('{TENANT_B}', 'aaaaaaaa-0000-4000-8000-000000000001', 'admin')"),
    )
    .await?;
    let key = test.db.authenticate(proof, None, now()).await?;
    assert_eq!(
        key.map(|caller| caller.tenant_id.to_string()).as_deref(),
        Some(TENANT_A)
    );
    assert!(
        test.db
            .authenticate(proof, Some(TENANT_B.parse()?), now())
            .await?
            .is_none()
    );
    // A session of the same person works in both, each at a time.
    let session = caller(&test, ADMIN_A).await?.proof;
    let guest = test
        .db
        .authenticate(session, Some(TENANT_B.parse()?), now())
        .await?
        .unwrap();
    let mut tx = test.db.read(&guest, now()).await?;
    assert_eq!(
        users::find_tenant_name(&mut tx, TENANT_B.parse()?)
            .await?
            .as_deref(),
        Some("Tenant b")
    );
    assert_eq!(users::find_tenant_name(&mut tx, TENANT_A.parse()?).await?, None);
    for end in [
        "update users.api_keys set is_active = false",
        "update users.api_keys set is_active = true, expires_at = now() - interval '2 minutes'",
    ] {
        run(&mut root, end).await?;
        assert!(test.db.authenticate(proof, None, now()).await?.is_none(), "{end}");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_row_security_does_not_bind_is_named() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let too_strong = Db::connect_lazy(&DbConfig::new(test.superuser_url(), test.url("sg_system")))?;
    let checks = too_strong.check_roles().await?;
    assert!(
        checks[0]
            .problem
            .as_deref()
            .unwrap_or_default()
            .contains("superuser"),
        "{checks:?}"
    );
    assert_eq!(checks[1].problem, None);
    let swapped = Db::connect_lazy(&DbConfig::new(test.url("sg_admin"), test.url("sg_app")))?;
    let checks = swapped.check_roles().await?;
    assert!(checks.iter().all(|check| check.problem.is_some()), "{checks:?}");
    let fit = test.db.schema_fit().await?;
    assert!(matches!(fit, sg_db::SchemaFit::Same(_)), "{fit:?}");
    Ok(())
}

#[tokio::test]
async fn listeners_leave_the_pool_to_work() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut config = DbConfig::new(test.url("sg_app"), test.url("sg_system"));
    config.system_connections = 1;
    let db = Db::connect_lazy(&config)?;
    let mut first = db.listen("sg_test").await?;
    let mut second = db.listen("sg_test").await?;
    let tx = db.system("beside two listeners").await?;
    tx.commit_upkeep().await?;
    test.execute("notify sg_test, 'news'").await?;
    for listener in [&mut first, &mut second] {
        let heard = tokio::time::timeout(Duration::from_secs(10), listener.recv()).await??;
        assert_eq!(heard.payload(), "news");
    }
    Ok(())
}
