//! A database of one test's own.

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use sg_db::{Db, DbConfig};
use sqlx::{Connection, PgConnection};

use crate::{TestCluster, cluster::TEMPLATE};

/// A migrated database; dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    /// The database as the server sees it.
    pub db: Db,
    name: String,
    cluster: &'static TestCluster,
}

impl TestDb {
    /// A copy of the migrated template.
    ///
    /// # Errors
    /// When PostgreSQL is not to be had.
    pub async fn new() -> Result<Self> {
        Self::with_template(TEMPLATE).await
    }

    /// An empty database that no migration has seen.
    ///
    /// # Errors
    /// When PostgreSQL is not to be had.
    pub async fn unmigrated() -> Result<Self> {
        Self::with_template("template0").await
    }

    /// A copy of what `make` makes of an empty database. The first test of a run that asks for `name` makes it, the others copy.
    ///
    /// # Errors
    /// Those of `make`, and when PostgreSQL is not to be had.
    pub async fn copy_of(name: &str, make: impl AsyncFn(&Self) -> Result<()>) -> Result<Self> {
        let cluster = TestCluster::shared().await?;
        let mut conn = PgConnection::connect(cluster.superuser_url("postgres").expose_secret()).await?;
        sqlx::query("select pg_advisory_lock(hashtextextended($1, 0))")
            .bind(name)
            .execute(&mut conn)
            .await?;
        let exists: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut conn)
            .await?;
        if !exists {
            let mut made = Self::unmigrated().await?;
            make(&made).await?;
            // Renamed when it is complete; it goes with the cluster.
            let unfinished = std::mem::take(&mut made.name);
            cluster
                .execute(format!("alter database {unfinished} rename to {name}"))
                .await?;
        }
        conn.close().await?;
        Self::with_template(name).await
    }

    #[expect(clippy::disallowed_methods, reason = "a name that no other test has")]
    async fn with_template(template: &str) -> Result<Self> {
        let cluster = TestCluster::shared().await?;
        let name = format!("sg_test_{}", uuid::Uuid::new_v4().simple());
        cluster
            // Copying files takes half the processor time of writing every page to the log.
            .execute(format!(
                "create database {name} template {template} strategy file_copy"
            ))
            .await?;
        let mut config = DbConfig::new(
            cluster.role_url("sg_app", &name),
            cluster.role_url("sg_system", &name),
        );
        config.app_connections = 8;
        config.system_connections = 6;
        Ok(Self {
            db: Db::connect_lazy(&config)?,
            name,
            cluster,
        })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// libpq URI as one of `sg_app`, `sg_system`, `sg_admin`.
    pub fn url(&self, role: &str) -> SecretString {
        self.cluster.role_url(role, &self.name)
    }

    /// libpq URI as the superuser: what an attacker with the whole machine has, and what migrates.
    pub fn superuser_url(&self) -> SecretString {
        self.cluster.superuser_url(&self.name)
    }

    /// The log of the server that this database is in, which all tests of a run share.
    ///
    /// # Errors
    /// When the server is not one that the product has started.
    pub fn server_log(&self) -> Result<std::path::PathBuf> {
        let url = self.superuser_url();
        let socket_dir = url
            .expose_secret()
            .split_once("host=")
            .and_then(|(_, rest)| rest.split('&').next())
            .map(|dir| dir.replace("%2F", "/").replace("%25", "%"));
        let data_dir = socket_dir
            .as_deref()
            .and_then(|dir| std::path::Path::new(dir).parent());
        data_dir
            .map(|dir| dir.join("log/postgresql.log"))
            .filter(|path| path.is_file())
            .ok_or_else(|| anyhow::anyhow!("no log beside {socket_dir:?}"))
    }

    /// A connection of its own as `role`, or as the superuser when the role is `postgres`.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn connect(&self, role: &str) -> Result<PgConnection> {
        let url = if role == "postgres" {
            self.superuser_url()
        } else {
            self.url(role)
        };
        Ok(PgConnection::connect(url.expose_secret()).await?)
    }

    /// One figure, asked as the superuser, whom row security does not bind.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn count(&self, query: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(query)
            .fetch_one(&mut self.connect("postgres").await?)
            .await?)
    }

    /// Runs statements as the superuser, to bring a database into a state that no operation of the product makes.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn execute(&self, statements: &'static str) -> Result<()> {
        sqlx::raw_sql(statements)
            .execute(&mut self.connect("postgres").await?)
            .await?;
        Ok(())
    }

    /// Brings this database to the present schema.
    ///
    /// # Errors
    /// Those of [`sg_db::migrate`].
    pub async fn migrate(&self) -> Result<sg_db::MigrationReport> {
        Ok(sg_db::migrate(&self.superuser_url(), &self.cluster.verifiers()).await?)
    }

    /// Brings this database to an earlier schema: what an earlier release left.
    ///
    /// # Errors
    /// Those of [`sg_db::migrate`].
    pub async fn migrate_to(&self, version: i64) -> Result<sg_db::MigrationReport> {
        Ok(sg_db::migrate_to(&self.superuser_url(), &self.cluster.verifiers(), version).await?)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster, std::mem::take(&mut self.name));
        if name.is_empty() {
            return;
        }
        // A runtime of its own: the test's may be ending. A database that stays behind goes with the cluster's folder.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(cluster.execute(format!("drop database if exists {name} with (force)")))
        });
        drop(dropping.join());
    }
}
